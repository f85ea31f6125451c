"""Run in a lab: the driver's own library counts the GPUs, and 256 MiB go to the first one's memory and come back."""

from __future__ import annotations

import ctypes
import os

SIZE = 1 << 28
DRIVER = ctypes.CDLL("libcuda.so.1")
count, device, context, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
sent, back = os.urandom(SIZE), ctypes.create_string_buffer(SIZE)
for function, *arguments in (
    ("cuInit", 0),
    ("cuDeviceGetCount", ctypes.byref(count)),
    ("cuDeviceGet", ctypes.byref(device), 0),
    ("cuCtxCreate_v2", ctypes.byref(context), 0, device),
    ("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(SIZE)),
    ("cuMemcpyHtoD_v2", memory, sent, ctypes.c_size_t(SIZE)),
    ("cuMemcpyDtoH_v2", back, memory, ctypes.c_size_t(SIZE)),
):
    code = getattr(DRIVER, function)(*arguments)
    assert code == 0, f"{function} ended with {code}"
assert back.raw == sent
print(count.value)
