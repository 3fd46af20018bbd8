"""The root file system of a guest, made from this machine's interpreter: no registry, no root, no debootstrap."""

from sandbox.image.layers import GUEST_PATH, PYTHON, guest_layer, interpreter_root, layers_digest

__all__ = ["GUEST_PATH", "PYTHON", "guest_layer", "interpreter_root", "layers_digest"]
