import assert from "node:assert/strict";
import { InvalidRequestError } from "../../../src/errors.js";
import { checkInputs, parseInput } from "../../../src/network/inputs.js";

describe("inputs of a network", () => {
  it("are read from the end, so that a name may have colons", () => {
    assert.deepEqual(parseInput("image:1x3x224x224"), { name: "image", shape: [1, 3, 224, 224] });
    assert.deepEqual(parseInput("input:0:1x128:int64"), { name: "input:0", shape: [1, 128], dtype: "int64" });
    assert.deepEqual(parseInput("length:scalar:int32"), { name: "length", shape: [], dtype: "int32" });
    assert.deepEqual(parseInput("n:5"), { name: "n", shape: [5] });
  });

  it("are refused with what was expected", () => {
    for (const text of ["x", "1x3", ":1x3", "x:", "x:1,3", "x:1x0", "x:1x", "x:-1x3", "x:1X3", "x:1x3:", "x:float32"]) {
      assert.throws(() => parseInput(text), InvalidRequestError, text);
    }
    assert.throws(() => parseInput("x:1,3"), /x:1,3 is no input\. Expected NAME:SIZES\[:DTYPE\], such as image:1x3/);
    assert.throws(() => parseInput("x:1x3:fp16"), /cannot be of dtype fp16\. Expected one of float16, float32/);
  });

  it("of the API are checked, too", () => {
    assert.deepEqual(checkInputs([{ name: "x", shape: [1, 3] }]), [{ name: "x", shape: [1, 3], dtype: null }]);
    assert.throws(() => checkInputs([{ name: "x", shape: [1, 0.5] }]), /The input x cannot be 1x0\.5/);
    assert.throws(
      () => checkInputs([parseInput("x:1x99999999999")]),
      /cannot be 1x99999999999\. .* from 1 to 2147483647/,
    );
    for (const text of ['["x:1x3"]', '{"x": [1, 3]}', '[{"name": "x", "shape": "1x3"}]', '[{"shape": [1]}]', "null"]) {
      assert.throws(() => checkInputs(JSON.parse(text)), /inputs cannot be .* Expected a list such as \[\{ name: "im/);
    }
    const fp16 = JSON.parse('[{"name": "x", "shape": [1], "dtype": "fp16"}]');
    assert.throws(() => checkInputs(fp16), /cannot be of dtype fp16/);
  });
});
