"""What takes the place of TVM's task schedulers in the user's own process: patched TVM trees import it from here."""

from .user_process import TuningSettings, drive

__all__ = ["TuningSettings", "drive"]
