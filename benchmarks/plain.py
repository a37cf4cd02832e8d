"""The training loop that popular DCGAN examples write, on the same networks: the step is measured against it.

float32, default memory layout, `nn.BatchNorm2d`, one forward and backward of D for real images and one for generated
ones, D's gradients computed once more in G's update, the default `torch.optim.Adam`.
"""

import torch
from torch import Tensor, nn

from dcgan_dist.settings import NetworkSettings


class PlainLoop:
    """Generator, discriminator and their update, for any structure with prescribed batch norm and a flattened head."""

    def __init__(self, settings: NetworkSettings, device: str = "cpu") -> None:
        self.generator: nn.Module = _generator(settings).to(device)
        self.discriminator: nn.Module = _discriminator(settings).to(device)
        for network in (self.generator, self.discriminator):
            network.apply(_init_weights)
        self.criterion = nn.BCELoss()
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def __call__(self, real: Tensor, z: Tensor) -> dict[str, float]:
        """One update of D and one of G: `real` float32 `[n, 3, S, S]` in [-1, 1], `z` float32 `[n, latent_size]`.

        Both on the device of the networks.
        """
        ones, zeros = torch.ones(len(real), device=real.device), torch.zeros(len(real), device=real.device)

        self.discriminator.zero_grad()
        output = self.discriminator(real).view(-1)
        loss_real = self.criterion(output, ones)
        loss_real.backward()
        score_real = output.mean().item()
        generated = self.generator(z)
        output = self.discriminator(generated.detach()).view(-1)
        loss_generated = self.criterion(output, zeros)
        loss_generated.backward()
        score_before = output.mean().item()
        self.optimizer_d.step()

        self.generator.zero_grad()
        output = self.discriminator(generated).view(-1)
        loss_generator = self.criterion(output, ones)
        loss_generator.backward()
        self.optimizer_g.step()
        return {
            "loss/discriminator": (loss_real + loss_generated).item(),
            "loss/generator": loss_generator.item(),
            "score/real": score_real,
            "score/generated_before": score_before,
            "score/generated_after": output.mean().item(),
        }


def _generator(settings: NetworkSettings) -> nn.Sequential:
    kernel = int(settings.structure[0])
    widths = [settings.generator_maps << i for i in range((settings.image_size // 4).bit_length() - 1)][::-1]
    units = widths[0] * 16
    layers: list[nn.Module] = [
        nn.Linear(settings.latent_size, units, bias=False),
        nn.BatchNorm1d(units),
        nn.ReLU(True),
        nn.Unflatten(1, (widths[0], 4, 4)),
    ]
    for wide, narrow in zip(widths, [*widths[1:], 3], strict=True):
        if settings.structure == "3x3":
            layers += [nn.ConvTranspose2d(wide, wide, kernel, 2, 1, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(True)]
            layers += [nn.ConvTranspose2d(wide, narrow, kernel, 1, 1, bias=False)]
        else:
            layers += [nn.ConvTranspose2d(wide, narrow, kernel, 2, 2, 1, bias=False)]
        layers += [nn.Tanh()] if narrow == 3 else [nn.BatchNorm2d(narrow), nn.ReLU(True)]
    return nn.Sequential(*layers)


def _discriminator(settings: NetworkSettings) -> nn.Sequential:
    widths = [settings.discriminator_maps << i for i in range((settings.image_size // 4).bit_length() - 1)]
    layers: list[nn.Module] = []
    for narrow, wide in zip([3, *widths[:-1]], widths, strict=True):
        if settings.structure == "3x3":
            layers += [nn.Conv2d(narrow, wide, 3, 1, 1, bias=False)]
            layers += [nn.LeakyReLU(0.2, True)] if narrow == 3 else [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, True)]
            layers += [nn.Conv2d(wide, wide, 3, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, True)]
        else:
            layers += [nn.Conv2d(narrow, wide, 5, 2, 2, bias=False)]
            layers += [nn.LeakyReLU(0.2, True)] if narrow == 3 else [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * 16, 1, bias=False), nn.Sigmoid())


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
