"""The U that several networks share: levels down, a bottom, and levels up, which may take skips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from segstudy.models import blocks, resampling


class UShape(nn.Module):
    """Per level a unit, then down; per level up, skip, then a unit; and a 1x1 head.

    Submodules are numbered by level, 0 being full resolution: `join.2` takes the output of `encoder.2`. Without skips
    there is no `join`.
    """

    encoder_tensors: tuple[str, ...] = ("encoder.", "down.", "bottom.")
    head_tensors: tuple[str, ...] = ("head.",)

    def __init__(
        self,
        options: Any,
        in_channels: int,
        outputs: int,
        unit: Callable[..., nn.Module],
        join: type[blocks.Concat] | None = blocks.Concat,
        down: str = "pool",
        up: str = "transposed",
        dropout: float | None = None,
        pool: int = 2,
    ) -> None:
        """Build the levels of `options` (`width`, `growth`, `depth`).

        Args:
            outputs: channels of the logits.
            unit: (in_channels, channels) -> the layers of one level; `dropout` goes to the decoder's alone.
            join: how a skip enters; None: there are no skips.
            down: pool, or strided.
            up: see `resampling.upsample`.
            dropout: of the decoder's units, where they take one.
            pool: side of the pooling's window.
        """
        super().__init__()
        widths = blocks.level_widths(options.width, options.growth, options.depth)
        levels = range(options.depth)
        extra = {} if dropout is None else {"dropout": dropout}
        self.encoder = nn.ModuleList(unit(widths[i - 1] if i else in_channels, widths[i]) for i in levels)
        self.down = nn.ModuleList(
            blocks.pool(pool) if down == "pool" else resampling.strided(widths[i]) for i in levels
        )
        self.bottom = unit(widths[-2], widths[-1])
        self.up = nn.ModuleList(resampling.upsample(up, widths[i + 1], widths[i]) for i in levels)
        self.join = nn.ModuleList(join() for _ in levels if join)
        upsampled = [widths[i] if up == "transposed" else widths[i + 1] for i in levels]
        self.decoder = nn.ModuleList(
            unit(upsampled[i] + (widths[i] if join else 0), widths[i], **extra) for i in levels
        )
        self.head = blocks.head(widths[0], outputs)

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, h, w), for sizes that the levels can halve."""
        maps, skips = images, []
        for unit, down in zip(self.encoder, self.down, strict=True):
            skips.append(unit(maps))
            maps = down(skips[-1])
        maps = self.bottom(maps)
        for i in reversed(range(len(self.up))):
            maps = self.up[i](maps)
            if self.join:
                maps = self.join[i](maps, skips[i])
            maps = self.decoder[i](maps)
        logits: Tensor = self.head(maps)
        return logits


class FramedU(UShape):
    """A `UShape` between a layer that enlarges the images (`pad`) and a crop, so that it takes any size."""

    pad: nn.Module
    crop: blocks.Crop

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, H, W), for any H, W >= 1."""
        logits: Tensor = self.crop(super().forward(self.pad(images)), images)
        return logits
