// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

Status requireInputs(std::span<const TensorView> inputs, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (i >= inputs.size() || inputs[i].isOmitted()) return invalid("Input {} of the operator is missing.", i);
    }
    return {};
}

std::vector<KernelEntry> joinTables(std::initializer_list<std::span<const KernelEntry>> tables) {
    std::vector<KernelEntry> all;
    for (const auto& table : tables) all.insert(all.end(), table.begin(), table.end());
    return all;
}

Result<std::byte*> makeOutput(KernelOutputs& outputs, std::size_t index, DType type, const Shape& shape) {
    if (auto count = checkedElementCount(shape, type); !count) {
        return invalid("An output of shape {} is too large.", toString(shape));
    }
    return outputs.allocate(index, type, shape);
}

Status copyAs(const TensorView& view, const Shape& shape, KernelOutputs& outputs, std::size_t index) {
    if (bitWidth(view.dtype) == 0) return unsupported("Tensors of type {} are not supported.", name(view.dtype));
    auto memory = makeOutput(outputs, index, view.dtype, shape);
    if (!memory) return fail(std::move(memory.error()));
    const auto bits = static_cast<std::size_t>(view.count()) * static_cast<std::size_t>(bitWidth(view.dtype));
    if (*memory != nullptr && bits > 0) std::memcpy(*memory, view.data, (bits + 7) / 8);
    return {};
}

// --- small arguments ---------------------------------------------------------------------------------------------

Result<std::vector<std::int64_t>> readIntegers(const TensorView& view) {
    std::vector<std::int64_t> values(static_cast<std::size_t>(view.count()));
    auto status = dispatch(IntegerTypes{}, view.dtype, [&]<typename T>() -> Status {
        std::transform(view.as<T>(), view.as<T>() + values.size(), values.begin(),
                       [](T value) { return static_cast<std::int64_t>(value); });
        return {};
    });
    if (!status) return invalid("Integers are expected, but a tensor of type {} is given.", name(view.dtype));
    return values;
}

Result<std::vector<double>> readNumbers(const TensorView& view) {
    std::vector<double> values(static_cast<std::size_t>(view.count()));
    if (view.dtype == DType::Float16 || view.dtype == DType::Bfloat16) {
        const bool isHalf = view.dtype == DType::Float16;
        std::transform(
            view.as<std::uint16_t>(), view.as<std::uint16_t>() + values.size(), values.begin(),
            [isHalf](std::uint16_t bits) { return double{isHalf ? halfToFloat(bits) : bfloat16ToFloat(bits)}; });
        return values;
    }
    auto status = dispatch(NumberAndBoolTypes{}, view.dtype, [&]<typename T>() -> Status {
        std::transform(view.as<T>(), view.as<T>() + values.size(), values.begin(),
                       [](T value) { return static_cast<double>(value); });
        return {};
    });
    if (!status) return fail(std::move(status.error()));
    return values;
}

Result<std::vector<std::int64_t>> integersFrom(const Inputs& inputs, std::size_t slot,
                                               const std::vector<std::int64_t>& attribute) {
    if (inputs.has(slot)) return readIntegers(inputs[slot]);
    return attribute;
}

// --- shapes ------------------------------------------------------------------------------------------------------

Result<std::int64_t> normalizeAxis(std::int64_t axis, std::int64_t rank) {
    if (axis < -rank || axis >= rank) return invalid("Axis {} is outside a tensor of {} dimensions.", axis, rank);
    return axis < 0 ? axis + rank : axis;
}

Result<std::vector<std::int64_t>> normalizeAxes(const std::vector<std::int64_t>& axes, std::int64_t rank) {
    std::vector<std::int64_t> result;
    for (const auto axis : axes) {
        const auto normal = normalizeAxis(axis, rank);
        if (!normal) return fail(normal.error());
        if (std::find(result.begin(), result.end(), *normal) != result.end()) {
            return invalid("Axis {} is named twice.", axis);
        }
        result.push_back(*normal);
    }
    return result;
}

Shape stridesOf(Dims dims) {
    Shape strides(dims.size());
    std::int64_t stride = 1;
    for (std::size_t axis = dims.size(); axis-- > 0;) {
        strides[axis] = stride;
        stride *= dims[axis];
    }
    return strides;
}

Result<Shape> broadcastShapes(Dims a, Dims b) {
    Shape result(std::max(a.size(), b.size()));
    for (std::size_t back = 1; back <= result.size(); ++back) {
        const std::int64_t left = back <= a.size() ? a[a.size() - back] : 1;
        const std::int64_t right = back <= b.size() ? b[b.size() - back] : 1;
        if (left != right && left != 1 && right != 1) {
            return invalid("Shapes {} and {} cannot be broadcast together.", show(a), show(b));
        }
        result[result.size() - back] = left == 1 ? right : left;
    }
    return result;
}

Shape broadcastStrides(Dims dims, Dims target) {
    const Shape own = stridesOf(dims);
    Shape strides(target.size(), 0);
    const std::size_t lead = target.size() - dims.size();
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
        strides[lead + axis] = dims[axis] == 1 ? 0 : own[axis];
    }
    return strides;
}

// --- half precision ----------------------------------------------------------------------------------------------

namespace {

bool isHalf(DType type) {
    return type == DType::Float16 || type == DType::Bfloat16;
}

/// Hands out float memory and remembers where it has to go as half precision.
class HalfOutputs : public KernelOutputs {
public:
    HalfOutputs(KernelOutputs& target, DType half) : m_target(target), m_half(half) {}

    std::byte* allocate(std::size_t index, DType type, const Shape& shape) override {
        if (type != DType::Float) return m_target.allocate(index, type, shape);
        std::byte* target = m_target.allocate(index, m_half, shape);
        if (target == nullptr) return nullptr;
        m_pending.push_back(
            {std::make_unique<std::vector<float>>(static_cast<std::size_t>(elementCount(shape))), target});
        return reinterpret_cast<std::byte*>(m_pending.back().values->data());
    }

    void finish() {
        for (const auto& [values, target] : m_pending) {
            auto* out = reinterpret_cast<std::uint16_t*>(target);
            for (const float value : *values) {
                *out++ = m_half == DType::Float16 ? floatToHalf(value) : floatToBfloat16(value);
            }
        }
    }

private:
    struct Pending {
        std::unique_ptr<std::vector<float>> values;
        std::byte* target;
    };
    KernelOutputs& m_target;
    DType m_half;
    std::vector<Pending> m_pending;
};

}  // namespace

Kernel withHalfTypes(Kernel kernel) {
    return [kernel = std::move(kernel)](std::span<const TensorView> inputs, KernelOutputs& outputs) -> Status {
        const auto half =
            std::find_if(inputs.begin(), inputs.end(), [](const auto& view) { return isHalf(view.dtype); });
        if (half == inputs.end()) return kernel(inputs, outputs);
        std::vector<TensorView> views(inputs.begin(), inputs.end());
        std::vector<std::vector<float>> widened;
        widened.reserve(views.size());
        for (auto& view : views) {
            if (!isHalf(view.dtype)) continue;
            const auto* bits = view.as<std::uint16_t>();
            std::vector<float> values(static_cast<std::size_t>(view.count()));
            std::transform(bits, bits + values.size(), values.begin(), [&](std::uint16_t pattern) {
                return view.dtype == DType::Float16 ? halfToFloat(pattern) : bfloat16ToFloat(pattern);
            });
            widened.push_back(std::move(values));
            view.dtype = DType::Float;
            view.data = reinterpret_cast<const std::byte*>(widened.back().data());
        }
        HalfOutputs converting(outputs, half->dtype);
        if (auto status = kernel(views, converting); !status) return status;
        converting.finish();
        return {};
    };
}

}  // namespace equant::kernels
