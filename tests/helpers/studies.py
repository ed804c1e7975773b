"""The config files of the studies of this repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OVER = {"ebhi_cpu": "ebhi", "hrf_cpu": "hrf"}  # overlays, and the study that each is given after


def config_files(name: str) -> list[Path]:
    """Return the config files of a study, `config` being that of config.yaml alone."""
    names = [*([OVER[name]] if name in OVER else []), *([name] if name != "config" else [])]
    return [ROOT / "config.yaml", *(ROOT / f"studies/{one}.yaml" for one in names)]
