// SPDX-License-Identifier: Apache-2.0
// A network while it is compressed: factorized first, then pruned, every layer fitted to what the original network
// gives. Private to core/compression (Eigen); compress() and the recommended flow drive it. Not for several threads at
// once; the result does not depend on how many it uses.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/compression/compress_options.h"
#include "core/compression/fit/layer_fit_internal.h"
#include "core/compression/plan/plan.h"
#include "core/graph/shapes/shapes.h"
#include "core/passes/outcome.h"

namespace equant {

class Compressor {
public:
    /// `source` null or empty: the weights alone decide. Unsupported, Corrupt: a model whose shapes are not known.
    /// `model`, `source` and `options` outlive the compressor.
    static Result<std::unique_ptr<Compressor>> create(const Model& model, const BatchSource* source,
                                                      const CompressOptions& options);
    Compressor(const Compressor&) = delete;
    Compressor& operator=(const Compressor&) = delete;

    /// Carries out the plan's SVD choices, in execution order. Once, and before prune().
    Status factorize(const CompressionPlan& plan, const JobContext& job);
    /// Carries out its channel pruning. Of a pair, the first layer is pruned.
    Status prune(const CompressionPlan& plan, const JobContext& job);

    /// As compressed so far; batch norms are folded where data are used.
    [[nodiscard]] const Model& model() const { return m_current; }
    /// The layer whose place a node of model() took as the one that reads its input; empty: none.
    [[nodiscard]] std::string originOf(std::string_view node) const;

    /// The compressed network with its costs. Call it last.
    Result<Outcome<CompressionReport>> finish();

private:
    struct Site {
        CompressibleLayer layer;  ///< of the reference
        FitSite fit;
        std::optional<LayerChoice> choice;  ///< of a factorization
        CompressedLayer report;
    };

    Compressor(const Model& model, const CompressOptions& options) : m_original(model), m_options(options) {}
    [[nodiscard]] const Shape* shapeOf(const std::string& value) const;
    Status collectAll();
    Result<std::unique_ptr<FitData>> dataFor(const Site& site);
    Status split(Site& site, const CompressionPlan& plan);
    Status refit(const Site& site);

    const Model& m_original;
    const CompressOptions& m_options;
    const BatchSource* m_source = nullptr;  ///< also when the choices are plain: pruning reconstructs
    Model m_reference;                      ///< what layers are compared with
    Model m_current;
    FactMap m_facts;  ///< of the reference
    FitContext m_context;
    std::vector<Site> m_sites;
    LayerMomentMap m_collected;
    std::vector<CompressedLayer> m_pruned;
    bool m_isChanged = false;
};

}  // namespace equant
