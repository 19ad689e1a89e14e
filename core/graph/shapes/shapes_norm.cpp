// SPDX-License-Identifier: Apache-2.0
// Shapes of normalizations and of losses.
#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

/// Inputs [first, last] are vectors over the channels (dimension 1) of input 0.
std::int64_t requireChannelVectors(const Inference& in, std::size_t first, std::size_t last) {
    in.requireRank(0, 2);
    const auto& data = in.shape(0);
    std::int64_t channels = data ? (*data)[1] : kUnknown;
    for (std::size_t i = first; i <= last; ++i) {
        const auto& vector = in.shape(i);
        if (!vector) continue;
        in.requireRank(i, 1, 1);
        channels = unify(channels, vector->front(), "channels of the data and of the parameters");
    }
    return channels;
}

void inferBatchNormalization(Inference& in) {
    if (in.shape(0) && in.shape(0)->size() == 1) {  // allowed: one channel
        inferSame(in);
        return;
    }
    const auto channels = requireChannelVectors(in, 1, 4);
    inferSame(in);
    for (std::size_t k = 1; k < 5; ++k) in.set(k, in.type(3), Shape{channels});
}

void inferInstanceNormalization(Inference& in) {
    static_cast<void>(requireChannelVectors(in, 1, 2));
    inferSame(in);
}

/// Mean and inverse standard deviation keep the dimensions before `axis`, the others become 1.
void inferLayerNormalization(Inference& in) {
    inferSame(in);
    auto statistics = in.shape(0);
    if (statistics) {
        const auto axis = axisOf(in.node().intAttribute("axis", -1), statistics->size());
        if (in.shape(1)) requireBroadcastsTo(*in.shape(1), *in.shape(0), "the scale");
        for (auto i = axis; i < statistics->size(); ++i) (*statistics)[i] = 1;
    }
    const auto type = static_cast<DType>(in.node().intAttribute("stash_type", 1));
    in.set(1, type, statistics);
    in.set(2, type, statistics);
}

/// NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss: a scalar, or one value per label.
void inferLoss(Inference& in) {
    const bool isReduced = in.node().stringAttribute("reduction", "mean") != "none";
    in.set(0, in.type(0), isReduced ? MaybeShape(Shape{}) : in.shape(1));
    in.set(1, in.type(0), in.shape(0));  // SoftmaxCrossEntropyLoss: log probabilities
}

}  // namespace

void addNormalization(Table& table) {
    table["BatchNormalization"] = inferBatchNormalization;
    table["InstanceNormalization"] = inferInstanceNormalization;
    table["LayerNormalization"] = inferLayerNormalization;
    for (const auto name :
         {"GroupNormalization", "LRN", "LpNormalization", "MeanVarianceNormalization", "RMSNormalization"}) {
        table[name] = inferSame;
    }
    for (const auto name : {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}) table[name] = inferLoss;
}

}  // namespace equant::shapes
