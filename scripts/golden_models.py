"""Models that `transformers` lacks, made of its own, for scripts/make_golden.py: GPT-2 with experts, looped cores."""
import torch
import transformers
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.models.mixtral import modeling_mixtral as mixtral


class Gpt2Experts(torch.nn.Module):
    """GPT-2's feed-forward several times, each token through those that Mixtral's router chooses."""

    def __init__(self, v, config):
        super().__init__()
        sizes = transformers.MixtralConfig(hidden_size=v["width"], num_local_experts=v["experts"],
                                           num_experts_per_tok=v["experts_per_token"])
        self.router = mixtral.MixtralTopKRouter(sizes)
        self.experts = torch.nn.ModuleList(GPT2MLP(v["ffn"], config) for _ in range(v["experts"]))

    def forward(self, x):
        rows = x.flatten(0, 1)
        self.logits, gates, chosen = self.router(rows)
        dense = torch.zeros_like(self.logits).scatter(1, chosen, gates)  # (tokens, experts)
        outputs = torch.stack([expert(rows) for expert in self.experts], 1)
        return (outputs * dense.unsqueeze(2)).sum(1).view_as(x)


class Gpt2WithExperts(torch.nn.Module):
    def __init__(self, v, gpt2, config):
        super().__init__()
        self.v, self.gpt2 = v, gpt2
        for block in gpt2.transformer.h:
            block.mlp = Gpt2Experts(v, config)

    def forward(self, ids):
        output = self.gpt2(ids)
        logits = tuple(block.mlp.logits for block in self.gpt2.transformer.h)
        output["aux_loss"] = mixtral.load_balancing_loss_func(logits, self.v["experts"],
                                                              self.v["experts_per_token"])
        return output

    def named_parameters(self, **options):
        return self.gpt2.named_parameters(**options)


class Boundary(torch.nn.Module):
    """h <- RMSNorm(h) + alpha e, without a gain; e is what reached the first boundary. It takes a layer's place."""

    def __init__(self, v, first):
        super().__init__()
        self.alpha, self.eps, self.first = v["boundary_alpha"], v["norm_eps"], (first or self,)

    def forward(self, h, *_, **__):
        self.e = h
        return h * torch.rsqrt(h.square().mean(-1, keepdim=True) + self.eps) + self.alpha * self.first[0].e


class Looped(torch.nn.Module):
    """A causal model whose core runs several times, with boundaries; its parameters keep their names."""

    def __init__(self, v, model):
        super().__init__()
        named = dict(model.named_parameters())
        self.named_parameters = lambda **_: named.items()
        self.model = model
        inner, name = (model.model, "layers") if v["architecture"] != "gpt2" else (model.transformer, "h")
        stored = list(getattr(inner, name))
        prelude, core = stored[:v["prelude"]], stored[v["prelude"]:v["prelude"] + v["core"]]
        run, first = prelude, None
        for _ in range(v["passes"]):
            first = first or Boundary(v, None)
            run = run + [first if len(run) == len(prelude) else Boundary(v, first)] + core
        run = run + [Boundary(v, first)] + stored[v["prelude"] + v["core"]:]
        setattr(inner, name, torch.nn.ModuleList(run))
        model.config.num_hidden_layers = len(run)

    def forward(self, ids):
        return self.model(ids)
