"""The networks of a W+ step in PyTorch, in two forms.

"scaled": what a careful user of PyTorch writes for editing. Weights are frozen buffers; StyleGAN2's style scales the
activations and the demodulation the result (Karras et al. 2020, the form of NVIDIA's training path), so no per-sample
weights are built; batch norms are folded where padding allows; attention is the fused one.

"authors": what the public optimisation scripts run. Per-sample modulated weights in one grouped convolution, FIR filters
as a convolution over single-channel pictures (the fallback of StyleGAN2's own upfirdn2d where no CUDA kernel is built),
attention through torch's multi-head attention, and every weight a parameter that gets a gradient, because the scripts
never freeze them.

Both compute the same function; names are those of host/nets. Activations are NCHW here, in either memory format.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

import weights

SQRT2 = math.sqrt(2.0)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class Named(nn.Module):
    """Arrays under their upstream names: parameters in the authors' form, buffers in the scaled one."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.alias = {}

    def add(self, name, shape, key=None, value=None):
        """`name` is what the formula is seeded with; `key` how the forward pass asks for it."""
        value = weights.tensor(name, shape) if value is None else value
        attribute = (key or name).replace(".", "_")
        if self.form == "authors":
            self.register_parameter(attribute, nn.Parameter(value))
        else:
            self.register_buffer(attribute, value)
        return value

    def get(self, name):
        return getattr(self, name.replace(".", "_"))


def channels_of(size, base=32768, most=512):
    return {4 << b: min(base // (4 << b), most) for b in range(int(math.log2(size)) - 1)}


def fir_kernel(gain):
    tap = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return torch.outer(tap, tap) * gain


class Synthesis(Named):
    """StyleGAN2's synthesis network: w [N,L,512] -> picture [N,3,R,R]."""

    def __init__(self, size, form, fir="depthwise", w_dim=512):
        super().__init__(form)
        self.size, self.fir, self.w_dim = size, fir, w_dim
        self.channels = channels_of(size)
        self.add("synthesis.b4.const", (self.channels[4], 4, 4))
        c_in = self.channels[4]
        for r, c in self.channels.items():
            if r > 4:
                self.add_conv(f"synthesis.b{r}.conv0", c_in, c, r)
            self.add_conv(f"synthesis.b{r}.conv1", c, c, r)
            self.add_affine(f"synthesis.b{r}.torgb", c)
            self.add(f"synthesis.b{r}.torgb.weight", (3, c, 1, 1))
            self.add(f"synthesis.b{r}.torgb.bias", (3,))
            c_in = c
        self.register_buffer("kernel", fir_kernel(4.0))

    def add_affine(self, layer, c_in):
        self.add(f"{layer}.affine.weight", (c_in, self.w_dim))
        self.add(f"{layer}.affine.bias", (c_in,))

    def add_conv(self, layer, c_in, c_out, r):
        self.add_affine(layer, c_in)
        self.add(f"{layer}.weight", (c_out, c_in, 3, 3))
        self.add(f"{layer}.bias", (c_out,))
        noise = weights.tensor(f"{layer}.noise_const", (r, r))
        self.register_buffer(f"{layer}.noise_const".replace(".", "_"), noise)
        self.add(f"{layer}.noise_strength", (1,))

    def prepare(self, dtype=torch.float32, memory_format=torch.contiguous_format):
        """Scaled form: everything that depends on weights only, once."""
        if self.form == "authors":
            return self.to(dtype)
        for r in self.channels:
            for layer in (f"synthesis.b{r}.conv0", f"synthesis.b{r}.conv1"):
                if not hasattr(self, f"{layer}.weight".replace(".", "_")):
                    continue
                w = self.get(f"{layer}.weight")
                self.register_buffer(f"{layer}.q".replace(".", "_"), w.square().sum((2, 3)).t().contiguous())
                noise = self.get(f"{layer}.noise_const") * self.get(f"{layer}.noise_strength")
                offset = SQRT2 * (noise[None, None] + self.get(f"{layer}.bias")[None, :, None, None])
                self.register_buffer(f"{layer}.offset".replace(".", "_"), offset)
        self.to(dtype)
        for name, value in list(self.named_buffers()):
            if value.dim() == 4:
                transposed = name.endswith("conv0_weight")
                value = value.transpose(0, 1) if transposed else value
                setattr(self, name, value.contiguous(memory_format=memory_format))
        c = self.channels
        for r in list(c)[1:]:
            taps = self.kernel.to(dtype)
            depthwise = taps[None, None].expand(c[r], 1, 4, 4).contiguous(memory_format=memory_format)
            self.register_buffer(f"fir_{r}", depthwise, persistent=False)
        self.register_buffer("fir_rgb", self.kernel.to(dtype)[None, None].expand(3, 1, 4, 4).contiguous())
        return self

    def style(self, layer, w):
        return F.linear(w, self.get(f"{layer}.affine.weight") / math.sqrt(self.w_dim), self.get(f"{layer}.affine.bias"))

    def forward(self, w):
        x = self.get("synthesis.b4.const").expand(w.shape[0], -1, -1, -1)
        if self.form != "authors":
            x = x.contiguous(memory_format=torch.channels_last)
        convolve, to_rgb, upsample = (
            (self.grouped, self.grouped_rgb, self.upfirdn_up)
            if self.form == "authors"
            else (self.scaled, self.scaled_rgb, self.skip_up)
        )
        picture = None
        for b, r in enumerate(self.channels):
            if b:
                x = convolve(x, w[:, 2 * b - 1], f"synthesis.b{r}.conv0", r, True)
            x = convolve(x, w[:, 2 * b], f"synthesis.b{r}.conv1", r, False)
            rgb = to_rgb(x, w[:, 2 * b + 1], f"synthesis.b{r}.torgb")
            picture = rgb if picture is None else upsample(picture) + rgb
        return picture

    # --- scaled ---------------------------------------------------------------------------------

    def scaled(self, x, w, layer, r, up):
        s = self.style(layer, w)
        d = (s.square() @ self.get(f"{layer}.q") + 1e-8).rsqrt() * SQRT2
        x = x * s[:, :, None, None]
        weight = self.get(f"{layer}.weight")
        if up:
            x = self.filter_up(F.conv_transpose2d(x, weight, stride=2), r)
        else:
            x = F.conv2d(x, weight, padding=1)
        # sqrt(2) lrelu(d y + c) = lrelu(sqrt(2) (d y + c)): one pass over the map
        x = torch.addcmul(self.get(f"{layer}.offset"), x, d[:, :, None, None])
        return F.leaky_relu(x, 0.2, inplace=True)

    def filter_up(self, x, r):
        if self.fir == "depthwise":
            return F.conv2d(x, self.get(f"fir_{r}"), padding=1, groups=x.shape[1])
        a, b = 0.25, 0.75
        x = F.pad(x, (1, 1, 1, 1))
        h, w = x.shape[2] - 3, x.shape[3] - 3
        x = a * (x[:, :, :h] + x[:, :, 3:]) + b * (x[:, :, 1 : h + 1] + x[:, :, 2 : h + 2])
        return a * (x[..., :w] + x[..., 3:]) + b * (x[..., 1 : w + 1] + x[..., 2 : w + 2])

    def scaled_rgb(self, x, w, layer):
        weight, bias = self.get(f"{layer}.weight"), self.get(f"{layer}.bias")
        s = (self.style(layer, w) / math.sqrt(x.shape[1]))[:, :, None, None]
        if x.shape[0] == 1:
            return F.conv2d(x, weight * s, bias)  # cheaper than a pass over the map
        return F.conv2d(x * s, weight, bias)

    def skip_up(self, picture):
        # zero insertion and the FIR filter are one transposed convolution
        return F.conv_transpose2d(picture, self.fir_rgb, stride=2, padding=1, groups=3)

    # --- authors --------------------------------------------------------------------------------

    def grouped(self, x, w, layer, r, up):
        s = self.style(layer, w)
        weight = self.get(f"{layer}.weight")[None] * s[:, None, :, None, None]
        weight = weight * (weight.square().sum((2, 3, 4)) + 1e-8).rsqrt()[:, :, None, None, None]
        n, c_out, c_in = weight.shape[:3]
        x = x.reshape(1, n * c_in, *x.shape[2:])
        if up:
            weight = weight.transpose(1, 2).reshape(n * c_in, c_out, 3, 3)
            x = F.conv_transpose2d(x, weight, stride=2, groups=n)
            x = self.upfirdn(x.view(n, c_out, *x.shape[2:]), 1, (1, 1))
        else:
            x = F.conv2d(x, weight.reshape(n * c_out, c_in, 3, 3), padding=1, groups=n)
            x = x.view(n, c_out, *x.shape[2:])
        x = x + self.get(f"{layer}.noise_strength") * self.get(f"{layer}.noise_const")
        return F.leaky_relu(x + self.get(f"{layer}.bias")[:, None, None], 0.2) * SQRT2

    def grouped_rgb(self, x, w, layer):
        n, c = x.shape[:2]
        weight = self.get(f"{layer}.weight")[None] * (self.style(layer, w) / math.sqrt(c))[:, None, :, None, None]
        y = F.conv2d(x.reshape(1, n * c, *x.shape[2:]), weight.reshape(n * 3, c, 1, 1), groups=n)
        return y.view(n, 3, *y.shape[2:]) + self.get(f"{layer}.bias")[:, None, None]

    def upfirdn_up(self, picture):
        return self.upfirdn(picture, 2, (2, 1))

    def upfirdn(self, x, up, pad):
        n, c, h, w = x.shape
        x = x.reshape(n * c, 1, h, 1, w, 1)
        x = F.pad(x, (0, up - 1, 0, 0, 0, up - 1)).view(n * c, 1, h * up, w * up)
        x = F.conv2d(F.pad(x, (pad[0], pad[1], pad[0], pad[1])), self.kernel.to(x.dtype)[None, None])
        return x.view(n, c, *x.shape[2:])


class ClipImage(Named):
    """CLIP ViT-B/32's image tower: prepared picture [N,3,224,224] -> unit vectors [N,512]."""

    def __init__(self, form, width=768, layers=12, patch=32, side=224, embed=512):
        super().__init__(form)
        self.width, self.layers, self.patch, self.side = width, layers, patch, side
        self.heads = width // 64
        self.add("visual.conv1.weight", (width, 3, patch, patch))
        self.add("visual.class_embedding", (width,))
        self.add("visual.positional_embedding", ((side // patch) ** 2 + 1, width))
        self.add("visual_projection.weight", (embed, width))
        for name in ("ln_pre", "ln_post"):
            self.add(f"visual.{name}.weight", (width,))
            self.add(f"visual.{name}.bias", (width,))
        for i in range(layers):
            p = f"visual.transformer.resblocks.{i}"
            for name, shape in (
                ("ln_1.weight", (width,)),
                ("ln_1.bias", (width,)),
                ("attn.in_proj_weight", (3 * width, width)),
                ("attn.in_proj_bias", (3 * width,)),
                ("attn.out_proj.weight", (width, width)),
                ("attn.out_proj.bias", (width,)),
                ("ln_2.weight", (width,)),
                ("ln_2.bias", (width,)),
                ("mlp.c_fc.weight", (4 * width, width)),
                ("mlp.c_fc.bias", (4 * width,)),
                ("mlp.c_proj.weight", (width, 4 * width)),
                ("mlp.c_proj.bias", (width,)),
            ):
                self.add(f"{p}.{name}", shape)
        mean, std = torch.tensor(CLIP_MEAN), torch.tensor(CLIP_STD)
        self.register_buffer("scale", (0.5 / std)[:, None, None])
        self.register_buffer("shift", ((0.5 - mean) / std)[:, None, None])

    def preprocess(self, picture):
        """[-1,1] picture: clamp, CLIP's mean and deviation, area resize (which commutes with them)."""
        x = torch.addcmul(self.shift, picture.clamp(-1, 1), self.scale)
        return x if x.shape[-1] == self.side else F.adaptive_avg_pool2d(x, self.side)

    def preprocess_compatible(self, picture):
        """The authors': nearest x7, average pool, nothing else."""
        x = F.interpolate(picture, scale_factor=7, mode="nearest")
        return F.avg_pool2d(x, picture.shape[-1] // 32)

    def norm(self, x, name):
        return F.layer_norm(x, (self.width,), self.get(f"{name}.weight"), self.get(f"{name}.bias"))

    def attend(self, x, p):
        names = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
        w, b, w_out, b_out = (self.get(f"{p}.attn.{name}") for name in names)
        if self.form == "authors":
            y = x.transpose(0, 1)
            y, _ = F.multi_head_attention_forward(
                y, y, y, self.width, self.heads, w, b, None, None, False, 0.0, w_out, b_out, need_weights=False
            )
            return y.transpose(0, 1)
        n, t, _ = x.shape
        q, k, v = F.linear(x, w, b).view(n, t, 3, self.heads, 64).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v) if hasattr(F, "scaled_dot_product_attention") else attention(q, k, v)
        return F.linear(y.transpose(1, 2).reshape(n, t, self.width), w_out, b_out)

    def forward(self, x):
        x = F.conv2d(x, self.get("visual.conv1.weight"), stride=self.patch).flatten(2).transpose(1, 2)
        token = self.get("visual.class_embedding").expand(x.shape[0], 1, -1)
        x = torch.cat((token, x), 1) + self.get("visual.positional_embedding")
        x = self.norm(x, "visual.ln_pre")
        for i in range(self.layers):
            p = f"visual.transformer.resblocks.{i}"
            x = x + self.attend(self.norm(x, f"{p}.ln_1"), p)
            y = F.linear(self.norm(x, f"{p}.ln_2"), self.get(f"{p}.mlp.c_fc.weight"), self.get(f"{p}.mlp.c_fc.bias"))
            y = y * torch.sigmoid(1.702 * y)
            x = x + F.linear(y, self.get(f"{p}.mlp.c_proj.weight"), self.get(f"{p}.mlp.c_proj.bias"))
        x = F.linear(self.norm(x[:, 0], "visual.ln_post"), self.get("visual_projection.weight"))
        return F.normalize(x.float(), dim=-1)


def attention(q, k, v):
    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1) @ v


def ir_se50_units():
    """(in, out, stride) of each unit."""
    units, c_in = [], 64
    for stage, depth in enumerate((3, 4, 14, 3)):
        for i in range(depth):
            units.append((c_in, 64 << stage, 1 if i else 2))
            c_in = 64 << stage
    return units


class ArcFace(Named):
    """IR-SE50: face [N,3,112,112] in [-1,1] -> unit vectors [N,512]; batch norms use the stored statistics."""

    def __init__(self, form, embed=512):
        super().__init__(form)
        self.units = ir_se50_units()
        self.add("input_layer.0.weight", (64, 3, 3, 3))
        self.add_norm("input_layer.1", 64)
        self.add("input_layer.2.weight", (64,))
        for i, (c_in, c_out, _) in enumerate(self.units):
            p = f"body.{i}.res_layer"
            self.add_norm(f"{p}.0", c_in)
            self.add(f"{p}.1.weight", (c_out, c_in, 3, 3))
            self.add(f"{p}.2.weight", (c_out,))
            self.add(f"{p}.3.weight", (c_out, c_out, 3, 3))
            self.add_norm(f"{p}.4", c_out)
            self.add(f"{p}.5.fc1.weight", (c_out // 16, c_out, 1, 1))
            self.add(f"{p}.5.fc2.weight", (c_out, c_out // 16, 1, 1))
            if c_in != c_out:
                self.add(f"body.{i}.shortcut_layer.0.weight", (c_out, c_in, 1, 1))
                self.add_norm(f"body.{i}.shortcut_layer.1", c_out)
        self.add_norm("output_layer.0", 512)
        # chladni's columns run in (row, column, channel) order, PyTorch's flatten in (channel, row, column)
        w = weights.tensor("output_layer.3.weight_nhwc", (embed, 7 * 7 * 512))
        w = w.view(embed, 7, 7, 512).permute(0, 3, 1, 2).reshape(embed, -1).contiguous()
        self.add("output_layer.3.weight", None, value=w)
        self.add("output_layer.3.bias", (embed,))
        self.add_norm("output_layer.4", embed)

    def add_norm(self, name, width):
        for part in ("weight", "bias"):
            self.add(f"{name}.{part}", (width,))
        for part in ("running_mean", "running_var"):
            self.register_buffer(f"{name}.{part}".replace(".", "_"), weights.tensor(f"{name}.{part}", (width,)))

    def prepare(self, dtype=torch.float32, memory_format=torch.contiguous_format):
        """Scaled form: fold each batch norm that follows a linear map into it. One that precedes a padded
        convolution cannot be (the padding is not the norm's zero) and stays one multiply-add pass."""
        if self.form == "authors":
            return self.to(dtype)
        self.fold("input_layer.0", "input_layer.1")
        for i, (c_in, c_out, _) in enumerate(self.units):
            self.affine(f"body.{i}.res_layer.0")
            self.fold(f"body.{i}.res_layer.3", f"body.{i}.res_layer.4")
            if c_in != c_out:
                self.fold(f"body.{i}.shortcut_layer.0", f"body.{i}.shortcut_layer.1")
        gain, offset = self.gain("output_layer.0")
        w, b = self.get("output_layer.3.weight"), self.get("output_layer.3.bias")
        w3 = w.view(w.shape[0], 512, -1)
        last_gain, last_offset = self.gain("output_layer.4")
        b = last_gain * (b + (w3 * offset[:, None]).sum((1, 2))) + last_offset
        w = last_gain[:, None] * (w3 * gain[:, None]).reshape(w.shape)
        self.register_buffer("output_layer_3_weight", w.contiguous())
        self.register_buffer("output_layer_3_bias", b.contiguous())
        self.to(dtype)
        for name, value in list(self.named_buffers()):
            if value.dim() == 4:
                setattr(self, name, value.contiguous(memory_format=memory_format))
        return self

    def gain(self, name):
        g = self.get(f"{name}.weight") * (self.get(f"{name}.running_var") + 1e-5).rsqrt()
        return g, self.get(f"{name}.bias") - g * self.get(f"{name}.running_mean")

    def fold(self, conv, norm):
        g, offset = self.gain(norm)
        w = self.get(f"{conv}.weight") * g[:, None, None, None]
        self.register_buffer(f"{conv}.weight".replace(".", "_"), w)
        self.register_buffer(f"{conv}.bias".replace(".", "_"), offset)

    def affine(self, name):
        g, offset = self.gain(name)
        self.register_buffer(f"{name}.gain".replace(".", "_"), g[None, :, None, None].clone())
        self.register_buffer(f"{name}.offset".replace(".", "_"), offset[None, :, None, None].clone())

    @staticmethod
    def preprocess(picture):
        """Area-pool to 256 (skipped at 256), crop to the face, area-pool to 112."""
        if picture.shape[-1] != 256:
            picture = F.adaptive_avg_pool2d(picture, 256)
        return F.adaptive_avg_pool2d(picture[:, :, 35:223, 32:220], 112)

    def forward(self, x):
        return F.normalize((self.as_authors(x) if self.form == "authors" else self.folded(x)).float(), dim=-1)

    def excite(self, y, p):
        s = F.adaptive_avg_pool2d(y, 1)
        s = F.relu(F.conv2d(s, self.get(f"{p}.5.fc1.weight")))
        return y * torch.sigmoid(F.conv2d(s, self.get(f"{p}.5.fc2.weight")))

    def batch_norm(self, x, name):
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(self.get(f"{name}.{part}") for part in names), False, 0.0, 1e-5)

    def as_authors(self, x):
        x = self.batch_norm(F.conv2d(x, self.get("input_layer.0.weight"), padding=1), "input_layer.1")
        x = F.prelu(x, self.get("input_layer.2.weight"))
        for i, (c_in, c_out, stride) in enumerate(self.units):
            p = f"body.{i}.res_layer"
            y = F.conv2d(self.batch_norm(x, f"{p}.0"), self.get(f"{p}.1.weight"), padding=1)
            y = F.conv2d(F.prelu(y, self.get(f"{p}.2.weight")), self.get(f"{p}.3.weight"), stride=stride, padding=1)
            y = self.excite(self.batch_norm(y, f"{p}.4"), p)
            if c_in != c_out:
                x = F.conv2d(x, self.get(f"body.{i}.shortcut_layer.0.weight"), stride=stride)
                x = self.batch_norm(x, f"body.{i}.shortcut_layer.1")
            else:
                x = F.max_pool2d(x, 1, stride)
            x = x + y
        x = self.batch_norm(x, "output_layer.0").flatten(1)
        x = F.linear(x, self.get("output_layer.3.weight"), self.get("output_layer.3.bias"))
        return self.batch_norm(x, "output_layer.4")

    def folded(self, x):
        x = F.conv2d(x, self.get("input_layer.0.weight"), self.get("input_layer.0.bias"), padding=1)
        x = F.prelu(x, self.get("input_layer.2.weight"))
        for i, (c_in, c_out, stride) in enumerate(self.units):
            p = f"body.{i}.res_layer"
            y = torch.addcmul(self.get(f"{p}.0.offset"), x, self.get(f"{p}.0.gain"))
            y = F.prelu(F.conv2d(y, self.get(f"{p}.1.weight"), padding=1), self.get(f"{p}.2.weight"))
            y = F.conv2d(y, self.get(f"{p}.3.weight"), self.get(f"{p}.3.bias"), stride=stride, padding=1)
            y = self.excite(y, p)
            if c_in != c_out:
                name = f"body.{i}.shortcut_layer.0"
                x = F.conv2d(x, self.get(f"{name}.weight"), self.get(f"{name}.bias"), stride=stride)
            elif stride > 1:
                x = x[:, :, ::stride, ::stride]
            x = x + y
        return F.linear(x.flatten(1), self.get("output_layer.3.weight"), self.get("output_layer.3.bias"))


def swin_tiny():
    """timm's Swin-T with one input channel and 512 outputs, weights by the formula under Microsoft's names."""
    import re

    import timm

    net = timm.create_model("swin_tiny_patch4_window7_224", in_chans=1, num_classes=512, drop_path_rate=0.0)

    def rename(name):
        name = name.replace("head.fc.", "head.")
        return re.sub(r"layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", name)

    state = {}
    for name, value in net.state_dict().items():
        if value.is_floating_point() and not name.endswith("attn_mask"):
            value = weights.tensor(rename(name), value.shape)
        state[name] = value
    net.load_state_dict(state)
    return net, rename
