"""Quantises the lab's real model again, so that there is something to cheat with.

    python requantize.py MODEL.gguf FOLDER [Q8_0 Q5_0 Q4_0 ...]

Every quantised tensor is brought to f32 and from there to the kind asked for; metadata, names and order of tensors stay.
Two special kinds keep the model's own kinds of numbers: NOISE moves every weight by a seeded Gaussian of 3 % of its row's
spread before quantising again, a different model of the same shape; PRUNED leaves two of its layers out, a smaller one.
Needs gguf from PyPI; `sh requantize.sh` makes an environment for it outside the repository.
"""

import hashlib
import os
import sys

import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType, quants

FILE_TYPES = {
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
    "Q5_0": LlamaFileType.MOSTLY_Q5_0,
    "Q4_0": LlamaFileType.MOSTLY_Q4_0,
}
PLAIN = (Kind.F32, Kind.F16, Kind.BF16)
# Written by GGUFWriter itself.
OWN_FIELDS = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", "general.architecture", "general.file_type")
NOISE_SHARE = 0.03
PRUNED_LAYERS = (14, 15)


def copy_fields(reader: GGUFReader, writer: GGUFWriter, layers_left_out: int) -> None:
    for field in reader.fields.values():
        if field.name in OWN_FIELDS:
            continue
        kind = field.types[0]
        sub_type = field.types[-1] if kind == GGUFValueType.ARRAY else None
        value = field.contents()
        if field.name.endswith(".block_count"):
            value -= layers_left_out
        writer.add_key_value(field.name, value, kind, sub_type=sub_type)


def place(tensor: str, left_out: tuple[int, ...]) -> str | None:
    """A tensor's name once some layers are left out; None for those of these layers."""
    block, number, *rest = tensor.split(".", 2)
    if block != "blk":
        return tensor
    layer = int(number)
    if layer in left_out:
        return None
    return ".".join([block, str(layer - sum(one < layer for one in left_out)), *rest])


def reweigh(tensor, name: str, noise: np.random.Generator):
    """The tensor's bytes in the kind asked for, and that kind."""
    if name == "PRUNED" or tensor.tensor_type in PLAIN:
        return tensor.data, tensor.tensor_type
    weights = quants.dequantize(tensor.data, tensor.tensor_type)
    if name == "NOISE":
        spread = weights.std(axis=-1, keepdims=True)
        weights = weights + NOISE_SHARE * spread * noise.standard_normal(weights.shape, dtype=np.float32)
        kind = tensor.tensor_type
    else:
        kind = Kind[name]
    return quants.quantize(weights.astype(np.float32), kind), kind


def requantize(source: str, target: str, name: str) -> str:
    reader = GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    part = f"{target}.part"
    writer = GGUFWriter(part, architecture)
    left_out = PRUNED_LAYERS if name == "PRUNED" else ()
    copy_fields(reader, writer, len(left_out))
    own_type = reader.fields["general.file_type"].contents() if "general.file_type" in reader.fields else 0
    writer.add_file_type(int(FILE_TYPES.get(name, own_type)))
    noise = np.random.default_rng(4)
    for tensor in reader.tensors:
        own_name = place(tensor.name, left_out)
        if own_name is None:
            continue
        data, kind = reweigh(tensor, name, noise)
        writer.add_tensor(own_name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open(part, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    os.replace(part, target)
    return digest


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    source, folder, *names = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for name in names or ["Q8_0", "Q5_0", "Q4_0", "NOISE", "PRUNED"]:
        target = os.path.join(folder, f"{name.lower()}.gguf")
        print(f"{requantize(source, target, name)}  {target}", flush=True)


main()
