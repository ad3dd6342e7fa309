"""The small tasks of the tests of training, for probes too."""

from tests.training.conftest import cnn_task, image_data, mlp_task, one_thread

__all__ = ["cnn_task", "image_data", "mlp_task", "one_thread"]
