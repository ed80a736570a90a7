"""A worker of another protocol version: says hello as one, and waits to be refused."""

import sys

import msgpack
import zmq

socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[sys.argv.index("--connect") + 1])
hello = {"type": "hello", "protocol": 999, "tvm_version": "0", "python_version": "0", "pid": 1}
socket.send(msgpack.packb(hello))
socket.recv()
