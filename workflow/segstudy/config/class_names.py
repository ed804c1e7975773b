"""Names of classes that mean something. Light: jobs that parse no config import it too."""

BACKGROUND = "background"
MEAN = "mean"
