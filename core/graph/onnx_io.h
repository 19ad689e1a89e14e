// SPDX-License-Identifier: Apache-2.0
// Reads and writes .onnx files. The only place besides its .cpp that knows protobuf is core/graph.
// Reading and writing back loses nothing: attributes, metadata, doc strings, functions, subgraphs, fields unknown to
// the installed libonnx, and external data.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/graph/model.h"

namespace equant {

/// Reads a model and the external data files it names (relative to its folder, never outside it).
/// NotFound, Io, Corrupt (not ONNX, truncated, initializer bytes that do not match their shape, missing external data).
Result<Model> readOnnx(const std::filesystem::path& path);

/// As readOnnx, from memory; external data are looked up in `folder`.
Result<Model> parseOnnx(std::string_view bytes, const std::filesystem::path& folder = {});

enum class ExternalData {
    Auto,   ///< inside the file unless that would exceed protobuf's 2 GB limit
    Always  ///< tensors of 1 KiB and more go to "<file name>.data" beside the model
};

/// Writes atomically. When external data are used their file is written (atomically) first.
Status writeOnnx(const Model& model, const std::filesystem::path& path, ExternalData external = ExternalData::Auto);

/// One serialized TensorProto, as in the test_data_set folders of ONNX test suites (.pb files).
Result<Tensor> parseTensorProto(std::string_view bytes);

/// The bytes writeOnnx would write without external data.
Result<std::string> serializeOnnx(const Model& model);

/// Hash of everything that determines results (graph, weights, opsets); names the model in caches and reports.
[[nodiscard]] std::string contentHash(const Model& model);

}  // namespace equant
