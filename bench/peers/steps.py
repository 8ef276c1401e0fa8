"""What is timed, in PyTorch: one class per workload of chladni-bench. `run()` is one timed run; `outputs()` are the
arrays that must equal chladni's after the first run, NHWC where they are pictures."""

import contextlib

import torch
import torch.nn.functional as F

import models
import weights

# an edit takes 0.005 for the identity, too little for its gradient to be checked
LAMBDA_SIM, LAMBDA_ID, RATE = 0.008, 1.0, 0.1
DELTA = 0.02
CHECKED_SWIN = (
    "patch_embed.proj.weight",
    "layers.0.blocks.1.attn.qkv.weight",
    "layers.0.blocks.1.attn.relative_position_bias_table",
    "layers.1.downsample.reduction.weight",
    "layers.3.blocks.1.mlp.fc1.weight",
    "norm.weight",
    "head.weight",
)


class Settings:
    """form: scaled | authors. compile: None or a mode of torch.compile."""

    def __init__(
        self, form="scaled", batch=1, size=256, face=False, device="cpu", dtype="float32", layout="channels_last",
        compile=None, fir="depthwise", backward=True, clip_dtype=None,
    ):
        self.form, self.batch, self.size, self.face, self.device = form, batch, size, face, torch.device(device)
        self.dtype = getattr(torch, dtype)
        self.layout = torch.channels_last if layout == "channels_last" and form == "scaled" else torch.contiguous_format
        self.compile, self.fir, self.backward = compile, fir, backward
        self.clip_dtype = getattr(torch, clip_dtype) if clip_dtype else self.dtype

    def compiled(self, function):
        return torch.compile(function, mode=self.compile) if self.compile else function

    def synthesis(self):
        net = models.Synthesis(self.size, self.form, self.fir)
        return net.prepare(self.dtype, self.layout).to(self.device)

    def rows(self):
        return 2 * len(models.channels_of(self.size))

    def input(self, name, *shape):
        return weights.uniform(name, shape).to(self.device)


def recorded(step):
    """The step as one CUDA graph: warm up on a side stream, record once, replay."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            step.run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step.run()
    return graph.replay


def nhwc(x):
    return x.detach().float().permute(0, 2, 3, 1)


class StyleGan2:
    """Synthesis forward, and with `backward` the gradient of sum(picture * cotangent) to w."""

    def __init__(self, settings):
        s = self.settings = settings
        self.net = s.synthesis()
        self.w = s.input("w", s.batch, s.rows(), 512).to(s.dtype)
        # drawn NHWC, as chladni lays it out
        cotangent = s.input("cotangent", s.batch, s.size, s.size, 3).permute(0, 3, 1, 2).to(s.dtype)
        self.cotangent = cotangent.contiguous()
        self.w.requires_grad_(s.backward)
        self.forward = s.compiled(self.net)

    def run(self):
        if not self.settings.backward:
            with torch.no_grad() if self.settings.compile else torch.inference_mode():
                self.picture = self.forward(self.w)
            return
        self.w.grad = None
        self.picture = self.forward(self.w)
        self.picture.backward(self.cotangent.to(self.picture.dtype))

    def outputs(self):
        out = {"picture": nhwc(self.picture)}
        if self.settings.backward:
            out["dw"] = self.w.grad
        return out


class Clip:
    """CLIP's image tower, forward, from a prepared picture."""

    def __init__(self, settings):
        s = self.settings = settings
        self.net = models.ClipImage(s.form).to(s.dtype).to(s.device)
        side = self.net.side
        self.x = s.input("clip_picture", s.batch, side, side, 3).permute(0, 3, 1, 2).contiguous().to(s.dtype)
        self.forward = s.compiled(self.net)

    def run(self):
        with torch.no_grad() if self.settings.compile else torch.inference_mode():
            self.embedding = self.forward(self.x)

    def outputs(self):
        return {"embedding": self.embedding}


class Swin:
    """Swin-T, one channel: forward and the gradient of mean_n <embedding_n, target_n> to every weight."""

    def __init__(self, settings):
        s = self.settings = settings
        net, self.rename = models.swin_tiny()
        self.net = net.to(s.device).train()
        self.autocast = s.dtype != torch.float32
        if s.layout == torch.channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.x = s.input("mel", s.batch, 224, 224, 1).permute(0, 3, 1, 2)
        self.target = s.input("target", s.batch, 512)
        self.loss_of = s.compiled(self.forward)

    def forward(self, x):
        return (F.normalize(self.net(x).float(), dim=-1) * self.target).sum(1).mean()

    def run(self):
        for p in self.net.parameters():
            p.grad = None
        with torch.autocast(self.x.device.type, self.settings.dtype) if self.autocast else contextlib.nullcontext():
            self.loss = self.loss_of(self.x)
        self.loss.backward()

    def outputs(self):
        gradients = {self.rename(name): p.grad for name, p in self.net.named_parameters()}
        out = {"loss": self.loss.detach().reshape(1)}
        out.update({name: gradients[name] for name in CHECKED_SWIN})
        return out


class WPlus:
    """One step of the W+ optimisation: synthesis, CLIP (and ArcFace), losses, gradient, Adam on w and the layer mask."""

    def __init__(self, settings):
        s = self.settings = settings
        self.synthesis = s.synthesis()
        self.clip = models.ClipImage(s.form).to(s.clip_dtype).to(s.device)
        self.face = models.ArcFace(s.form).prepare(s.dtype, s.layout).to(s.device) if s.face else None
        n, rows = s.batch, s.rows()
        self.source = s.input("source", n, rows, 512)
        self.target = F.normalize(s.input("audio", n, 512), dim=-1)
        self.identity = F.normalize(s.input("identity", n, 512), dim=-1)
        # a code near its source, so that the regulariser does not drown the picture's gradient
        delta = weights.uniform("delta", (n, rows, 512), DELTA).to(s.device)
        self.w = (self.source + delta).requires_grad_()
        self.mask = weights.uniform("mask", (n, rows), 0.1).to(s.device).requires_grad_()
        # a step that is recorded as a CUDA graph must keep Adam's step count on the device
        options = {"fused": True, "capturable": True} if s.form == "scaled" and s.device.type == "cuda" else {}
        self.optimiser = torch.optim.Adam([self.w, self.mask], lr=RATE, **options)
        self.loss_of = s.compiled(self.forward)

    def forward(self, w, mask):
        s = self.settings
        picture = self.synthesis(w.to(s.dtype))
        prepare = self.clip.preprocess_compatible if s.form == "authors" else self.clip.preprocess
        similarity = 1 - (self.clip(prepare(picture).to(s.clip_dtype)) * self.target).sum(1)
        distance = (w - self.source).square().sum(2)
        regularity = distance.shape[1] * (torch.softmax(mask, 1) * distance).sum(1)
        loss = similarity + LAMBDA_SIM * regularity
        if self.face is not None:
            # the authors' code detaches the edited picture by mistake, which makes this term idle; here it acts
            loss = loss + LAMBDA_ID * (1 - (self.face(self.face.preprocess(picture)) * self.identity).sum(1))
        return loss.sum(), picture

    def run(self):
        # the scripts keep accumulating gradients into weights they never update; only w and the mask are cleared
        self.optimiser.zero_grad(set_to_none=True)
        self.loss, self.picture = self.loss_of(self.w, self.mask)
        self.loss.backward()
        self.optimiser.step()

    def outputs(self):
        return {
            "loss": self.loss.detach().reshape(1),
            "picture": nhwc(self.picture),
            "dw": self.w.grad,
            "dmask": self.mask.grad,
        }


WORKLOADS = {"stylegan2": StyleGan2, "clip": Clip, "swin": Swin, "wplus": WPlus}
