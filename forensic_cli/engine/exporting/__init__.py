"""From a detector's torch module to an ONNX file that has proved itself."""
