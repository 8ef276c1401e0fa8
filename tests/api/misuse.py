#!/usr/bin/env python3
"""Every public function, called wrongly in every way that its declaration allows.

  misuse.py LIBRARY INCLUDE FIXTURES

Reads the declarations in INCLUDE/chladni/*.h and calls each function of LIBRARY (libchladni_demo.so)
with one wrong argument and otherwise right ones, each call in a process of its own: every pointer
NULL, every enum out of its range, every whole number 0, -1, the smallest and the largest, every
floating-point number NaN and infinite, float arrays with a NaN. No call may end the process; a NULL
that is not allowed and an enum out of range must be CHL_ERR_ARGUMENT, and the text of a NULL names the
function and the argument."""
import ctypes, glob, math, os, re, resource, shutil, signal, sys, tempfile

ARGUMENT, NUMERIC = 1, 8
# what the headers allow to be NULL, as function.argument or argument; option structs: the defaults
OPTIONAL = {"options", "user", "mask", "cascades", "gain_db", "memory", "callback.chl_log_to", "engine.chl_engine_close",
            "kept.chl_cache_close", "target.chl_file_check", "kind.chl_world_picture"}
NO_STATUS = {"chl_text_escape", "chl_text_quote", "chl_engine_get_sizes", "chl_edit_is_independent", "chl_release", "chl_engine_close", "chl_cache_close", "chl_log_to", "chl_train_recipe_at"}
# NULL is the defaults, which are 300 steps
LONG = {"options.chl_edit", "options.chl_edit_many", "options.chl_edit_to_goal", "options.chl_edit_from", "options.chl_invert", "options.chl_tune"}
# a judge returns its own status with this
SKIPPED = {"chl_judge_fail", "chl_demo_register", "chl_demo_judge", "chl_version", "chl_build_info", "chl_error"}
CALL_SECONDS = 60


def declarations(include):
    text = ""
    for path in sorted(glob.glob(os.path.join(include, "chladni", "*.h"))):
        with open(path) as file:
            text += file.read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    enums = dict((name, len(body.split(","))) for body, name in re.findall(r"typedef enum(?: \w+)* \w+ \{([^}]*)\} (\w+);", text))
    found = []
    for returned, name, arguments in re.findall(r"\n(?:CHL_CHECKED|CHL_API) ([\w ]+?[ *]+)(chl_\w+)\(([^)]*)\);", text):
        listed = []
        for argument in re.sub(r"\s+", " ", arguments).split(","):
            match = re.match(r" *(.*?[ *])(\w+)$", argument)
            if match:
                listed.append((match.group(1).strip(), match.group(2)))
        found.append((returned.strip(), name, listed))
    return found, enums


class Sizes(ctypes.Structure):
    _fields_ = [("number", ctypes.c_int * 6)]


class Caller:
    """Right arguments for every parameter, by its type and name."""

    def __init__(self, library, fixtures):
        self.library = library
        self.folder = tempfile.mkdtemp(prefix="chladni-misuse-")
        self.fixtures = fixtures
        self.keep = []
        for kind in ("generator", "clip", "audio", "face"):
            if library.chl_weights_random(kind.encode(), ctypes.c_uint64(1), self.at(kind + ".safetensors")) != 0:
                sys.exit("misuse: %s" % self.error())
        library.chl_seed_latent.argtypes = None
        self.floats = (ctypes.c_float * (1 << 22))()
        self.engine = ctypes.c_void_p()
        options = self.engine_options()
        if library.chl_engine_open(options, ctypes.byref(self.engine)) != 0:
            sys.exit("misuse: %s" % self.error())
        self.png = open(os.path.join(fixtures, "picture", "rgb8.png"), "rb").read()

    def at(self, name):
        return os.path.join(self.folder, name).encode()

    def error(self):
        self.library.chl_error.restype = ctypes.c_char_p
        return self.library.chl_error().decode(errors="replace")

    def engine_options(self):
        class Options(ctypes.Structure):  # the first fields of chl_engine_options; the rest is 0
            _fields_ = [("size", ctypes.c_uint32), ("precision", ctypes.c_int)] + [
                (name, ctypes.c_char_p) for name in ("generator", "clip", "vocab", "audio", "face", "device")] + [("rest", ctypes.c_char * 64)]
        texts = {name: self.at(name + ".safetensors") for name in ("generator", "clip", "audio", "face")}
        self.options = Options(size=ctypes.sizeof(Options), device=b"cpu", **texts)
        return ctypes.byref(self.options)

    def options_of(self, kind):
        """The defaults, with one step where there are steps."""
        buffer = (ctypes.c_uint32 * 128)()
        name = "chl_%s_options" % kind
        if kind == "engine":
            return self.engine_options()
        init = getattr(self.library, name + "_init", None)
        size = ctypes.c_size_t(ctypes.sizeof(buffer))
        if kind == "train":
            if init(b"audio", size, buffer) != 0:
                sys.exit("misuse: %s" % self.error())
        elif kind in ("edit", "invert", "tune"):
            init(self.engine, size, buffer)
            buffer[1] = 1
        elif init:
            init(size, buffer)
        buffer[0] = ctypes.sizeof(buffer)
        return buffer

    def text(self, function, name):
        if name in ("to",) or (name == "path" and ("write" in function or "grid" in function or "world" in function or "file" in function)):
            return self.at("out.png")
        if name == "from" or "weights_inspect" in function or "weights_models" in function:
            return self.at("face.safetensors")
        if name == "path":
            if "array" in function:
                return os.path.join(self.fixtures, "picture", "rgb8.npy").encode()
            sound = "sound" in function
            return os.path.join(self.fixtures, "sound" if sound else "picture", "rain.wav" if sound else "rgb8.png").encode()
        if name == "kind":
            return b"face" if "weights" in function else b"rain"
        return b"audio" if name == "model" else b"rain"

    def whole(self, name):
        return {"height": 8, "width": 8, "side": 32, "rate": 44100, "frames": 4096, "gap": 0, "size": 512, "seed": 1,
                "algorithm": 0, "recorded": 0}.get(name, 1)

    def right(self, function, kind, name, enums):
        if kind == "chl_engine *" or kind == "const chl_engine *":
            return self.engine
        match = re.match(r"(?:const )?chl_(\w+)_options \*", kind)
        if match:
            return self.options_of(match.group(1))
        if kind == "const char *":
            return self.text(function, name)
        if kind == "const char *const *":
            return (ctypes.c_char_p * 4)(*[self.text(function, "path" if name == "paths" else name)] * 4)
        if kind in ("float *", "const float *"):
            return self.floats
        if kind == "const float *const *":
            return (ctypes.c_void_p * 4)(*[ctypes.addressof(self.floats)] * 4)
        if kind == "const int64_t *":
            return (ctypes.c_int64 * 6)(2, 3, 1, 1, 1, 1)
        if kind == "const void *":
            return self.png
        if kind.endswith("*"):  # an output
            return (ctypes.c_uint64 * 256)()
        if kind.endswith("_callback"):
            callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda *_: None)
            self.keep.append(callback)
            return callback
        if kind in enums:
            return ctypes.c_int(0)
        if kind == "float":
            return ctypes.c_float(0.5)
        if name == "size":
            return ctypes.c_size_t(len(self.png) if "decode" in function or "write" in function else 512)
        wide = {"int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t}
        return wide.get(kind, ctypes.c_int)(self.whole(name))

    def call(self, function, arguments):
        """(status, text, signal) of the call, made in a child."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            signal.alarm(CALL_SECONDS)
            entry = getattr(self.library, function)
            entry.restype = Sizes if function == "chl_engine_get_sizes" else None if function in NO_STATUS else ctypes.c_int
            status = entry(*arguments)
            status = status if isinstance(status, int) else 0  # a struct, or nothing
            os.write(write, ("%d\n%s" % (status, self.error())).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as file:
            said = file.read().decode(errors="replace")
        _, code = os.waitpid(child, 0)
        if os.WIFSIGNALED(code):
            return None, "", os.WTERMSIG(code)
        status, text = said.split("\n", 1)
        return int(status), text, 0


def misuses(kind, name, enums):
    """(what, wrong value)"""
    if kind.endswith("*") or kind.endswith("_callback"):
        yield "NULL", None
    elif kind in enums:
        for value in (-1, enums[kind], 1 << 20, -(1 << 31)):
            yield "enum %d" % value, ctypes.c_int(value)
    elif kind == "float":
        for value in (math.nan, math.inf, -math.inf):
            yield "%g" % value, ctypes.c_float(value)
    elif kind == "int":
        for value in (0, -1, -(1 << 31), (1 << 31) - 1):
            yield str(value), ctypes.c_int(value)
    elif kind == "int64_t":
        for value in (0, -1, -(1 << 63), (1 << 63) - 1):
            yield str(value), ctypes.c_int64(value)
    elif kind in ("uint64_t", "size_t") and not (kind == "size_t" and name == "size"):
        for value in (0, (1 << 64) - 1):
            yield str(value), ctypes.c_uint64(value)
    elif kind == "size_t":
        yield "0", ctypes.c_size_t(0)


def judge(function, kind, name, what, result, enums):
    status, text, died = result
    if died:
        return "dies by signal %d" % died
    if function in NO_STATUS or function.endswith("_options_init") and function != "chl_train_options_init":
        return None
    if what == "NULL" and not OPTIONAL & {name, "%s.%s" % (name, function)} or (what == "NULL" and function == "chl_train_options_init"):
        if status != ARGUMENT:
            return "status %d, expected CHL_ERR_ARGUMENT: %s" % (status, text)
        if function not in text or "`%s`" % name not in text:
            return "text names neither function nor argument: %s" % text
    if what.startswith("enum") and status != ARGUMENT:
        return "status %d, expected CHL_ERR_ARGUMENT: %s" % (status, text)
    if kind in ("int", "int64_t") and what.startswith("-") and name not in ("recorded",) and status == 0:
        return "a negative number passes"
    if kind == "float" and status == 0:
        return "a number that is not finite passes"
    return None


def main():
    os.environ["OMP_NUM_THREADS"] = "1"  # a child of a process with threads could not compute
    library = ctypes.CDLL(os.path.abspath(sys.argv[1]))
    functions, enums = declarations(sys.argv[2])
    caller = Caller(library, sys.argv[3])
    tried = wrong = 0

    def check(function, kind, name, what, arguments):
        nonlocal tried, wrong
        tried += 1
        problem = judge(function, kind, name, what, caller.call(function, arguments), enums)
        if problem:
            wrong += 1
            print("WRONG %s, %s is %s: %s" % (function, name, what, problem))

    try:
        for _, function, listed in functions:
            if function in SKIPPED:
                continue
            right = [caller.right(function, kind, name, enums) for kind, name in listed]
            for i, (kind, name) in enumerate(listed):
                if "%s.%s" % (name, function) in LONG:
                    continue
                for what, value in misuses(kind, name, enums):
                    check(function, kind, name, what, right[:i] + [value] + right[i + 1:])
                if kind == "const char *const *":
                    check(function, "const char *", name, "a list with NULL", right[:i] + [(ctypes.c_char_p * 4)()] + right[i + 1:])
            floats = [i for i, (kind, _) in enumerate(listed) if kind == "const float *" ]
            for i in floats:
                spoilt = (ctypes.c_float * len(caller.floats))()
                spoilt[0] = math.nan
                status, text, died = caller.call(function, right[:i] + [spoilt] + right[i + 1:])
                tried += 1
                if died or status == 0 and function != "chl_array_write":
                    wrong += 1
                    print("WRONG %s, %s holds NaN: %s" % (function, listed[i][1], "dies" if died else "passes"))
    finally:
        shutil.rmtree(caller.folder, ignore_errors=True)
    print("%d functions, %d misuses, %d wrong" % (len(functions) - len(SKIPPED), tried, wrong))
    return 1 if wrong or tried < 178 else 0


if __name__ == "__main__":
    sys.exit(main())
