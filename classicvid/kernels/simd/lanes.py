"""The processor goes in; how many lanes a vector has, and what it can do with them, come out."""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import binding
from numba.core import config as _config

config: Any = _config  # its settings are read from the environment


def _has(*features: str) -> bool:
    """Tell whether code is compiled for a processor with all of these features."""
    if not config.ENABLE_AVX and any(name.startswith("avx") for name in features):
        return False
    if config.CPU_NAME is None and config.CPU_FEATURES is None:
        present = binding.get_host_cpu_features()
        return all(present.get(name, False) for name in features)
    return all(_named_processor_uses(_SIGNS[name]) for name in features)


# One word of assembly that a processor with the feature uses for the code below.
_SIGNS = {"avx512f": "zmm", "avx512vl": "zmm", "avx2": "vpaddd\t%ymm", "fma": "vfmadd"}
_PROBE = """
define <16 x i32> @add(<16 x i32> %a, <16 x i32> %b) {
  %c = add <16 x i32> %a, %b
  ret <16 x i32> %c
}
define <16 x float> @fused(<16 x float> %a, <16 x float> %b, <16 x float> %c) {
  %d = call <16 x float> @llvm.fma.v16f32(<16 x float> %a, <16 x float> %b, <16 x float> %c)
  ret <16 x float> %d
}
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
"""


def _named_processor_uses(sign: str) -> bool:
    # LLVM lists the features of the processor it runs on alone; of another, only its code tells.
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=config.CPU_NAME or "", features=config.CPU_FEATURES or ""
    )
    return sign in machine.emit_assembly(binding.parse_assembly(_PROBE))


if config.CPU_NAME is not None and config.CPU_FEATURES is None:
    # numba would add the features of the processor it runs on to those of the one it was told of.
    config.CPU_FEATURES = ""

WIDE = _has("avx512f", "avx512vl")
AVX2 = not WIDE and _has("avx2")
LANES = 16 if WIDE else 8 if AVX2 else 4
FUSED = _has("fma") or platform.machine() in ("aarch64", "arm64")
