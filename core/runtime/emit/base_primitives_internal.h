// SPDX-License-Identifier: Apache-2.0
// oneDNN primitives that can take post-operations: convolution, inner product, matrix product, pooling, resampling.
// Functions; one thread, as Emission.
#pragma once

#include <dnnl.hpp>
#include <functional>
#include <vector>

#include "core/runtime/emit/value_layouts_internal.h"

namespace equant {

/// A primitive whose attributes are not settled yet.
struct BasePrimitive {
    struct Input {
        int role = 0;                      ///< DNNL_ARG_*
        ir::ValueId value = ir::kNoValue;  ///< whose layouts may be kept for other readers; none for a view of a value
        Placed given;
        dnnl::query what = dnnl::query::src_md;  ///< query for the wanted layout; undef: as given
    };
    /// Throws dnnl::error where oneDNN cannot compute it with these attributes.
    std::function<dnnl::primitive_desc_base(const dnnl::primitive_attr&)> make;
    std::vector<Input> inputs;  ///< the data first, then weights and bias
};

// For operators of the kind of the same name. May append reorder steps for inputs that have to be row-major.
BasePrimitive convolution(Emission& emission, const ir::Op& op);
BasePrimitive innerProduct(Emission& emission, const ir::Op& op);
BasePrimitive matMul(Emission& emission, const ir::Op& op);
BasePrimitive pool(Emission& emission, const ir::Op& op);
BasePrimitive resample(Emission& emission, const ir::Op& op);

}  // namespace equant
