"""Shorten the name of a kernel by the rules of its family: ATen, CUTLASS, Tensile, Triton, ...

Names of traces are not parsed as C++ strictly: what no rule knows is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tp_tools.trace.cpp_names import CppName, is_cpp, is_mangled, parse, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_DTYPES = {
    "float": "f32",
    "double": "f64",
    "half": "f16",
    "__half": "f16",
    "Half": "f16",
    "half_t": "f16",
    "_Float16": "f16",
    "BFloat16": "bf16",
    "__nv_bfloat16": "bf16",
    "__hip_bfloat16": "bf16",
    "hip_bfloat16": "bf16",
    "bfloat16_t": "bf16",
    "tfloat32_t": "tf32",
    "Float8_e4m3fn": "f8e4m3",
    "Float8_e4m3fnuz": "f8e4m3",
    "Float8_e5m2": "f8e5m2",
    "Float8_e5m2fnuz": "f8e5m2",
    "__nv_fp8_e4m3": "f8e4m3",
    "__nv_fp8_e5m2": "f8e5m2",
    "float_e4m3_t": "f8e4m3",
    "float_e5m2_t": "f8e5m2",
    "float_e2m1_t": "f4e2m1",
    "bool": "bool",
    "char": "i8",
    "signed char": "i8",
    "unsigned char": "u8",
    "short": "i16",
    "unsigned short": "u16",
    "int": "i32",
    "unsigned int": "u32",
    "long": "i64",
    "long long": "i64",
    "unsigned long": "u64",
}

_TENSILE_TYPES = {
    "S": "f32",
    "D": "f64",
    "H": "f16",
    "B": "bf16",
    "X": "tf32",
    "C": "c64",
    "Z": "c128",
    "I": "i32",
    "I8": "i8",
    "F8": "f8",
}
"""Letters of Tensile's names for the type of the operands: the first of `_BBS_BH_`."""

_GENERIC = re.compile(
    r"(?i)(?:device_|global_)?kernel_?\d*|run|main|apply|forward|backward|invoke|entry"
)
"""Names of functions that say nothing without their namespace."""

_WRAPPERS = {"gpu_kernel_impl", "gpu_kernel_impl_nocast", "gpu_index_kernel", "func_wrapper_t"}
_WRAPPERS |= {"AUnaryFunctor", "BUnaryFunctor", "BinaryFunctor", "ReduceOp"}
"""Functors of ATen that hold the one that matters."""

ELEMENTWISE = re.compile(r"(.*?)_?elementwise(?:_grid_stride)?_kernel(.*)")
"""Names of elementwise kernels of ATen, with how they loop before and behind."""

_XMMA = re.compile(r"sm\d+_xmma_(\w+?)_([a-z]+\d+[a-z]*\d*)_\w*?tilesize(\d+x\d+x\d+)")
_TENSILE = re.compile(r"(Cijk_[A-Z]\w{3}_[A-Z]\w{3})_(F8|I8|[A-Z])\w*?_MT(\d+x\d+x\d+)")
_IGEMM = re.compile(r"(igemm_[a-z]+_\w+?_[a-z]+)_(fp32|fp16|bf16|int8)_\w*?bt(\d+x\d+x\d+)")
_TRITON = re.compile(r"(triton_[a-z]+_fused)(\w*?)(_\d+)?")
_TRTLLM = re.compile(r"(bmm|gemm)_(\w+?)_t(\d+x\d+x\d+)")
_FMHA = re.compile(
    r"fmhaSm\w+?Kernel_Qkv([A-Z][a-z\d]+)O([A-Z][a-z\d]+?)H(\d+)(?:PagedKv|PackedQkv|ContiguousKv|"
    r"SeparateQkv)?([A-Z]\w*?)(?:P\d+)?(?:MultiCtasKv\w*?)?(?:VarSeq)?Q(\d+)Kv(\d+)(\w*)"
)
"""Attention of trtllm-gen: types of input and output, head size, mask, tile, loop."""

_WORDS = {"E4m3": "f8e4m3", "E2m1": "f4e2m1", "Bfloat16": "bf16", "Fp16": "f16", "Half": "f16"}
"""Types in names of trtllm-gen."""

_LONGEST_TRITON = 48
_TILES = (
    re.compile(r"GemmShape<(?:\(int\))?(\d+), (?:\(int\))?(\d+), (?:\(int\))?(\d+)>"),
    re.compile(r"GemmShapeILi(\d+)ELi(\d+)ELi(\d+)E"),
    re.compile(r"cute::C<(\d+)>, cute::C<(\d+)>, cute::C<(\d+)>"),
)
_TYPE = re.compile(r"(?!(?:true|false)$)[A-Za-z_]")
_CLONE = re.compile(r"(?: \[clone .*\]|\.kd)$")


def short_name(name: str) -> str:
    """Shorten the name of a kernel by itself; copies and memsets keep theirs.

    Returns:
        The short name; other kernels may have the same one, see `short_names`.
    """
    name = _CLONE.sub("", name.strip())
    if name.startswith(("Memcpy ", "Memset ", "MemcpyAsync", "MemsetAsync")) or is_short(name):
        return name
    if not is_cpp(name):
        return _shorten_plain(name)
    parsed = parse(name)
    family = next((make for fits, make in _FAMILIES if fits(parsed)), None)
    return (family(parsed, name) if family else function_name(parsed)) or name


def is_short(name: str) -> bool:
    """Tell whether a name was shortened before: words, without what C++ has behind a function."""
    return " " in name and not is_mangled(name) and not re.match("void |.*[<(]", name)


def is_plain(name: str) -> bool:
    """Tell whether the short name is just that of the function: no family has a rule for it.

    The SQL function tpt_short_name gives the same for these.
    """
    cut = _CLONE.sub("", name.strip())
    if not is_cpp(cut):
        return _shorten_plain(cut) == cut
    parsed = parse(cut)
    return (
        not is_short(cut) and not is_mangled(cut) and not any(fits(parsed) for fits, _ in _FAMILIES)
    )


def function_name(parsed: CppName) -> str:
    """Name a function; with its namespace if it says nothing without: gemvx::kernel."""
    if _GENERIC.fullmatch(parsed.name) and len(parsed.path) > 1:
        return "::".join(parsed.path[-2:])
    return parsed.name


def dtype(text: str) -> str | None:
    """Name a C++ type of numbers in short, such as bf16; None for other types."""
    bare = re.sub(r"\bconst\b|[*&]", "", text).strip()
    if match := re.fullmatch(r"[\w:]*\bcomplex<([^<>]*)>", bare):
        inner = dtype(match[1])
        return inner and {"f32": "c64", "f64": "c128", "f16": "c32"}.get(inner)
    return None if re.search(r"[<({]", bare) else _DTYPES.get(bare.rpartition("::")[2])


def _types(texts: Iterable[str]) -> str:
    """Name the types of numbers among some types, each once."""
    return " ".join(dict.fromkeys(found for text in texts if (found := dtype(text))))


def _shorten_plain(name: str) -> str:
    """Shorten a name that is no C++: of a generated kernel, by its family."""
    if match := _TENSILE.match(name):
        return f"{match[1]} {_TENSILE_TYPES.get(match[2], match[2])} {match[3]}"
    if match := _XMMA.match(name):
        half = match[2][: len(match[2]) // 2]
        return f"xmma_{match[1]} {half if half * 2 == match[2] else match[2]} {match[3]}"
    if match := _TRTLLM.match(name) or _IGEMM.match(name):
        return f"{match[1]} {match[2]} {match[3]}"
    if match := _FMHA.fullmatch(name):
        types = " ".join(_WORDS.get(match[i], match[i]) for i in (1, 2))
        return f"fmha {types} d{match[3]} {match[4]} {match[5]}x{match[6]} {match[7]}".rstrip()
    match = _TRITON.fullmatch(name)
    if match and len(name) > _LONGEST_TRITON:
        room = _LONGEST_TRITON - len(match[1])
        kept = match[2][:room].rpartition("_")[0].rstrip("_") or match[2][:room]
        return f"{match[1]}{kept}..{match[3] or ''}"
    return name


def _elementwise(parsed: CppName, _: str) -> str:
    functor = _functor(parsed.arguments)
    if functor is None:
        return function_name(parsed)
    match = ELEMENTWISE.fullmatch(parsed.name)
    kind = match[1].strip("_") if match else ""
    prefix = (
        "elementwise" if kind in {"vectorized", "unrolled", "vectorized_templated", ""} else kind
    )
    return " ".join(filter(None, (prefix, *functor)))


def _reduce(parsed: CppName, _: str) -> str:
    functor = _functor(parsed.arguments)
    return " ".join(filter(None, ("reduce", *functor))) if functor else parsed.name


def _multi_tensor(parsed: CppName, _: str) -> str:
    functor = _functor(parsed.arguments[1:])
    return " ".join(filter(None, ("multi_tensor", *functor))) if functor else parsed.name


def _functor(arguments: Sequence[str]) -> tuple[str, str] | None:
    """Find the functor among template arguments: its name and its types."""
    for text in arguments:
        if dtype(text) or not _TYPE.match(text):
            continue
        parsed = parse(text)
        if parsed.name.endswith("_internal_kernel"):
            return "", _types(parsed.arguments)
        outer = _types(parsed.arguments[:1] if parsed.name == "ReduceOp" else parsed.arguments)
        inner = _functor(parsed.arguments) if parsed.name in _WRAPPERS else None
        if inner is not None:
            return inner[0], outer or inner[1]
        held = [it for it in parsed.lambda_types if "*" not in it]
        is_whole = len(held) == len(parsed.lambda_types)
        return function_name(parsed), (_types(held) if is_whole else "") or outer
    return None


def _cutlass(parsed: CppName, name: str) -> str:
    inner = _class(parsed)
    if inner is None:
        return function_name(parsed)
    if inner.startswith("cutlass"):
        return inner
    tile = next((match for pattern in _TILES if (match := pattern.search(name))), None)
    types = list(
        dict.fromkeys(
            _DTYPES[word] for word in words(name) if word.endswith("_t") and word in _DTYPES
        )
    )
    return " ".join(["cutlass", inner, *types[:2], *(["x".join(tile.groups())] if tile else [])])


def _ck(parsed: CppName, _: str) -> str:
    return f"{parsed.path[0]} {_class(parsed) if parsed.name == 'kentry' else parsed.name}"


def _class(parsed: CppName) -> str | None:
    """Name the first class among the template arguments."""
    for text in parsed.arguments:
        if _TYPE.match(text) and not dtype(text):
            return parse(text).name
    return None


def _flash(parsed: CppName, name: str) -> str:
    """Name a kernel of flash attention by head size and tile.

    Flash_fwd_kernel_traits<kHeadDim, kBlockM, kBlockN, kNWarps, ...>: flash-attention,
    csrc/flash_attn/src/kernel_traits.h
    """
    match = re.search(r"_kernel_traits<(\d+), (\d+), (\d+), [^<>]*?(\w*float16_t|\w*half_t)", name)
    if match is None:
        return function_name(parsed)
    return f"{parsed.name} {dtype(match[4])} d{match[1]} {match[2]}x{match[3]}"


def _rocprim(parsed: CppName, _: str) -> str:
    inner = next(
        (it for text in parsed.arguments if (it := parse(text).name).endswith("_impl")), ""
    )
    return f"rocprim {inner}" if inner else parsed.name


_FAMILIES: tuple[tuple[Callable[[CppName], bool], Callable[[CppName, str], str]], ...] = (
    (lambda it: bool(ELEMENTWISE.fullmatch(it.name)), _elementwise),
    (lambda it: it.name == "reduce_kernel" and "native" in it.path, _reduce),
    (lambda it: it.name == "multi_tensor_apply_kernel", _multi_tensor),
    (lambda it: it.path[0].startswith("cutlass") and len(it.path) > 1, _cutlass),
    (lambda it: it.path[0] in {"ck", "ck_tile"}, _ck),
    (lambda it: it.name.startswith("flash_"), _flash),
    (lambda it: it.name == "trampoline_kernel", _rocprim),
)
"""The rules: whether a name is of a family, and its short name; the first that fits counts."""
