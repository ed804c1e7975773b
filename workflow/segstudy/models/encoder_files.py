"""Write an encoder's ImageNet weights, downloaded or provided by the user, into one checked safetensors file."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_path, read_json
from segstudy.core.provenance import file_hash
from segstudy.models import pretrained
from segstudy.models.encoder_unet import blank_encoder, library

logger = logging.getLogger("segstudy")


def obtain(encoder: str, given: Path | None, output: Path) -> None:
    """Write `output`: the encoder's tensors, and as metadata how images are scaled for them and where they come from.

    Args:
        encoder: as `encoder_unet` names it.
        given: a state dict that a person has fetched; without one, the weights are downloaded as
            segmentation_models_pytorch does it, from the revision that its installed version names.
        output: safetensors; the same weights give the same bytes.

    Raises:
        StudyError: no file is given and there is no internet; or a file does not hold the weights of this encoder.
    """
    from safetensors.torch import save

    source, origin, scaling = (given, given.name, pretrained.IMAGENET) if given else _download(encoder, output)
    checksum = file_hash(source)
    _check_name(source, checksum)
    weights = pretrained.read_weights(source, encoder, blank_encoder(encoder))
    tensors = {name: tensor.detach().contiguous() for name, tensor in weights.tensors.items()}
    said = {"encoder": encoder, "origin": origin, "origin_sha256": checksum, **scaling}
    content = save(tensors, metadata={"segstudy": json.dumps(said, sort_keys=True)})
    with atomic_path(output) as temporary:
        temporary.write_bytes(content)
    values = sum(tensor.numel() for tensor in tensors.values()) / 1e6
    logger.info("encoder %s: %d tensors, %.1f million values from %s", encoder, len(tensors), values, origin)
    logger.info("left out: %s", ", ".join(weights.left_out) or "nothing")
    logger.info("SHA-256 of %s: %s; of what it came from: %s", output, file_hash(output), checksum)


def _download(encoder: str, output: Path) -> tuple[Path, str, dict[str, list[float]]]:
    import huggingface_hub

    place = library().encoders.encoders[encoder]["pretrained_settings"]["imagenet"]
    try:
        weights, config = (
            Path(huggingface_hub.hf_hub_download(place["repo_id"], name, revision=place["revision"]))
            for name in ("model.safetensors", "config.json")
        )
    except OSError as error:  # no network, no such file, no access: all of them are one
        url = _torchvision_url(encoder)
        raise StudyError(
            f"the weights of encoder {encoder} could not be downloaded from {place['repo_id']} "
            f"({str(error).partition(chr(10))[0]})",
            where=output,
            allowed=f"{output.with_name(url.rpartition('/')[2])} or {output.with_suffix('.pth')}: a state dict of "
            f"torchvision or timm; {output}: safetensors, as in {place['repo_id']}",
            remedy=f"fetch {url} on a machine with internet, put it at the first of these places and leave it there; "
            "or run this rule where there is internet; or set weights: none",
        ) from error
    said = read_json(config)
    return weights, f"{place['repo_id']} at {place['revision']}", {key: list(said[key]) for key in pretrained.IMAGENET}


def _torchvision_url(encoder: str) -> str:
    from torchvision.models import get_model_weights

    return str(get_model_weights(encoder)["IMAGENET1K_V1"].url)


def _check_name(source: Path, checksum: str) -> None:
    """Raise if a name ends as torchvision's do, in the first digits of the checksum, and these are others."""
    named = re.search(r"-([0-9a-f]{8,64})\.\w+$", source.name)
    if named and not checksum.startswith(named[1]):
        raise StudyError(
            f"the file is damaged or another one: its SHA-256 begins with {checksum[:8]}, its name says {named[1]}",
            where=source,
            remedy="fetch it again",
        )
