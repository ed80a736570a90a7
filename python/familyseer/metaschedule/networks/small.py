"""Small networks, the same as TVM's `relay.testing` had."""

from __future__ import annotations

from .network import Maker, Network


def mlp(batch: int) -> Network:
    """Three dense layers for images of 28 x 28, of 128, 64 and 10 units."""
    from tvm.relax import op

    maker = Maker()
    data = maker.input("data", (batch, 1, 28, 28))

    def body() -> object:
        x = maker.emit(op.reshape(data, (batch, 784)))
        for number, (inputs, units) in enumerate(((784, 128), (128, 64), (64, 10)), 1):
            x = maker.emit(op.matmul(x, maker.weight(f"fc{number}_weight", (inputs, units))))
            x = maker.emit(op.add(x, maker.weight(f"fc{number}_bias", (units,))))
            if units > 10:
                x = maker.emit(op.nn.relu(x))
        return op.nn.softmax(x)

    return maker.network(body)
