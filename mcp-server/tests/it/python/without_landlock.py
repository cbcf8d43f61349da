"""Becomes the program that it is given, on a kernel without Landlock: asked for it, the kernel knows no such call."""

import ctypes
import os
import struct
import sys

NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2
# The same number on every architecture.
LANDLOCK_CREATE_RULESET = 444
ENOSYS = 38

INSTRUCTIONS = [
    (0x20, 0, 0, 0),  # the number of the call
    (0x15, 0, 1, LANDLOCK_CREATE_RULESET),
    (0x06, 0, 0, 0x00050000 | ENOSYS),
    (0x06, 0, 0, 0x7FFF0000),  # anything else goes on
]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


code = b"".join(struct.pack("=HBBI", *instruction) for instruction in INSTRUCTIONS)
program = Program(len(INSTRUCTIONS), code)
prctl = ctypes.CDLL(None, use_errno=True).prctl
none = ctypes.c_ulong(0)
for words in [(NO_NEW_PRIVS, ctypes.c_ulong(1), none), (SECCOMP, ctypes.c_ulong(FILTER), ctypes.byref(program))]:
    assert prctl(*words, none, none) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
