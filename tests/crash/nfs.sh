#!/usr/bin/env bash
# A batch by two machines on one folder of a file server, NFS 4.2 and 3, whose workers die at random moments: every
# edit is done once, with the pixels of an unbroken run. The machines are three User-Mode Linux kernels, each with its
# own cache of the server's files; nothing of them reaches beyond this machine. Run by hand, as root.
#
#   tests/crash/nfs.sh BUILD ROOT [KILLS] [EDITS]
#
# Packages: user-mode-linux, uml-utilities. ROOT: a debootstrap folder of this machine's Debian with
# nfs-kernel-server, iproute2, kmod and what the program is linked with; the modules and the program are copied there.
set -euo pipefail
build=$(realpath "$1") root=$(realpath "$2") kills=${3:-8} edits=${4:-60}
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) shared=$work/shared
mkdir "$shared"
trap 'touch "$shared/stop"; kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

# --- what a machine does when it begins -------------------------------------------------------------------
cat >"$root/nfs-init" <<'END'
#!/bin/bash
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp; mount -t tmpfs tmp /run
mount -t tmpfs tmp /mnt; mount -t tmpfs tmp /var/lib/nfs; mkdir -p /mnt/shared /mnt/server /mnt/export
for word in $(cat /proc/cmdline); do case $word in shared=*|id=*|version=*|kills=*) export "$word" ;; esac; done
mount -t hostfs none /mnt/shared -o "$shared"
exec >"/mnt/shared/log.$id" 2>&1
ip link set lo up; ip link set eth0 up; ip address add "10.9.0.$id/24" dev eth0; rpcbind -w
serve() {
  modprobe nfsd; mkdir -p /var/lib/nfs/{sm,rpc_pipefs,v4recovery}; touch /var/lib/nfs/{etab,rmtab,state}
  mount -t tmpfs files /mnt/export; cp -r /mnt/shared/files/. /mnt/export; mount -t nfsd nfsd /proc/fs/nfsd
  exportfs -o rw,no_root_squash,fsid=0,no_subtree_check,insecure '*:/mnt/export'; rpc.mountd; rpc.nfsd 8
  touch /mnt/shared/serving
  while [ ! -f /mnt/shared/stop ]; do sleep 1; done
}
run() { # run [COMMAND...]: the batch, under a command that ends it
  "$@" chladni batch jobs.jsonl --generator demo/generator-32.safetensors --clip demo/clip.safetensors \
    --audio demo/audio.safetensors --steps 12 --batch 4 --stale 10 --out out
}
work() {
  export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
  modprobe nfs nfsv3 nfsv4; mkdir -p /mnt/server
  while ! mount -t nfs -o "vers=$version,proto=tcp,port=2049,nolock" "10.9.0.1:$([ "$version" = 3 ] && echo /mnt/export || echo /)" /mnt/server; do sleep 1; done
  cd /mnt/server
  for ((i = 0; i < kills; i++)); do run timeout -s KILL $((4 + RANDOM % 12)) || true; done
  run; echo "$?" >"/mnt/shared/ended.$id"
  while [ "$id" = 2 ] && [ ! -f /mnt/shared/ended.3 ]; do sleep 1; done
  [ "$id" != 2 ] || { cp -r out /mnt/shared/out; touch /mnt/shared/copied; }
}
if [ "$id" = 1 ]; then serve; else work; fi
echo o >/proc/sysrq-trigger; sleep 5
END
chmod +x "$root/nfs-init"

# --- the batch, here and there -----------------------------------------------------------------------------
mkdir "$shared/files"
cp -r "$source/weights/demo" "$source/tests/fixtures/sound/rain.wav" "$shared/files"
for ((i = 0; i < edits; i++)); do # one in twenty is bad
  echo "{\"seed\": $i, \"sound\": \"$([ $((i % 20)) = 13 ] && echo missing || echo rain).wav\"}"
done >"$shared/files/jobs.jsonl"
mkdir -p "$root/lib/modules"
cp -a /usr/lib/uml/modules/* "$root/lib/modules/"
cp "$build/chladni" "$root/usr/bin/"
cp -a "$build"/libchladni*.so* "$root/usr/lib/"
echo "nfs: the unbroken run"
(cd "$shared/files" && "$build/chladni" batch jobs.jsonl --generator demo/generator-32.safetensors --clip demo/clip.safetensors \
  --audio demo/audio.safetensors --steps 12 --batch 4 --out "$work/unbroken" 2>/dev/null) || [ $? = 3 ]

boot() { # boot ID WORDS...
  local id=$1; shift
  HOME=$work linux.uml mem=900M root=/dev/root rootfstype=hostfs "rootflags=$root" rw init=/nfs-init "shared=$shared" \
    "id=$id" "kills=$kills" "$@" "eth0=daemon,,unix,$work/switch" con=null con0=null,fd:1 "umid=chladni-nfs-$id" >"$work/console.$id" 2>&1 </dev/null &
}
echo "nfs: three machines"
uml_switch -unix "$work/switch" >/dev/null 2>&1 </dev/null &
sleep 1
boot 1
while [ ! -f "$shared/serving" ]; do sleep 1; done
boot 2 version=4.2
boot 3 version=3
while [ ! -f "$shared/copied" ]; do sleep 1; done

python3 - "$work/unbroken" "$shared/out" <<'END'
import collections, glob, json, os, struct, sys
want, got = sys.argv[1:]
names = [os.path.basename(path) for path in glob.glob(want + "/results/*.png")]
there = {os.path.basename(path) for path in glob.glob(got + "/results/*.png")}
def pixels(folder, name): # compressed; the recipes beside them have the folders' paths
    data, at, found = open(os.path.join(folder, "results", name), "rb").read(), 8, b""
    while at < len(data):
        length, = struct.unpack(">I", data[at:at + 4])
        if data[at + 4:at + 8] == b"IDAT":
            found += data[at + 8:at + 8 + length]
        at += 12 + length
    return found
different = [name for name in names if name not in there or pixels(want, name) != pixels(got, name)]
done = collections.Counter()
for path in glob.glob(got + "/work/journal/*"):
    for line in open(path):
        entry = json.loads(line)
        done[entry["id"]] += entry["status"] == "done"
twice = [name for name, times in done.items() if times > 1]
print("nfs: %d pictures, %d different, %d too many, %d done twice" % (len(names), len(different), len(there - set(names)), len(twice)))
sys.exit(bool(different or there - set(names) or twice))
END
