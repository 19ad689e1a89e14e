// SPDX-License-Identifier: Apache-2.0
// Between protobuf messages and our values, one pair of functions per message. Private to core/graph.
// Every reader takes its message apart: modelled fields are moved out, and what is left over, serialized, becomes the
// value's `extra`; the writer starts from `extra` and puts the modelled fields back.
#pragma once

#include <filesystem>
#include <onnx/onnx_pb.h>

#include "core/graph/model.h"

namespace equant::proto {

/// Where external tensor data are found while reading; `folder` is the model's.
struct ReadContext {
    std::filesystem::path folder;
};

/// Moves type, shape and values out of `message` and leaves the rest in it.
Result<Tensor> takeTensor(onnx::TensorProto& message, const ReadContext& context, const std::string& subject);
void putTensor(const Tensor& tensor, onnx::TensorProto& message);

Result<Graph> takeGraph(onnx::GraphProto& message, const ReadContext& context);
void putGraph(const Graph& graph, onnx::GraphProto& message);

Result<Model> takeModel(onnx::ModelProto& message, const ReadContext& context);
void putModel(const Model& model, onnx::ModelProto& message);

}  // namespace equant::proto
