// SPDX-License-Identifier: Apache-2.0
// Cast and CastLike between all number types and bool. Real numbers become integers by truncation, saturating where
// the specification leaves the result open; integers among each other wrap.
#include "core/runtime/kernels/elementwise_internal.h"

namespace equant::kernels {
namespace {

template <typename From, typename To>
void convertValues(const From* in, std::int64_t count, To* out) {
    for (std::int64_t i = 0; i < count; ++i) {
        if constexpr (std::is_same_v<To, bool>) {
            out[i] = in[i] != From{0};
        } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
            out[i] = saturated<To>(static_cast<double>(in[i]));
        } else {
            out[i] = static_cast<To>(in[i]);
        }
    }
}

Status castTo(const TensorView& x, DType to, std::byte* out) {
    return dispatch(NumberAndBoolTypes{}, x.dtype, [&]<typename From>() -> Status {
        return dispatch(NumberAndBoolTypes{}, to, [&]<typename To>() -> Status {
            convertValues(x.as<From>(), x.count(), reinterpret_cast<To*>(out));
            return {};
        });
    });
}

bool isHalfType(DType type) {
    return type == DType::Float16 || type == DType::Bfloat16;
}

Status cast(const TensorView& x, DType to, KernelOutputs& outputs) {
    const Shape shape = shapeOf(x);
    if (x.dtype == to) return copyAs(x, shape, outputs);
    auto memory = makeOutput(outputs, 0, to, shape);
    if (!memory) return fail(std::move(memory.error()));
    if (*memory == nullptr) return {};
    TensorView source = x;
    std::vector<float> widened;
    if (isHalfType(x.dtype)) {
        widened.resize(static_cast<std::size_t>(x.count()));
        std::transform(
            x.as<std::uint16_t>(), x.as<std::uint16_t>() + widened.size(), widened.begin(),
            [&](std::uint16_t bits) { return x.dtype == DType::Float16 ? halfToFloat(bits) : bfloat16ToFloat(bits); });
        source = {DType::Float, x.shape, reinterpret_cast<const std::byte*>(widened.data())};
    }
    if (!isHalfType(to)) return castTo(source, to, *memory);
    std::vector<float> values(static_cast<std::size_t>(x.count()));
    if (auto status = castTo(source, DType::Float, reinterpret_cast<std::byte*>(values.data())); !status) return status;
    std::transform(values.begin(), values.end(), reinterpret_cast<std::uint16_t*>(*memory),
                   [to](float value) { return to == DType::Float16 ? floatToHalf(value) : floatToBfloat16(value); });
    return {};
}

Result<Kernel> makeCast(const Node& node, std::int64_t) {
    const auto to = static_cast<DType>(node.intAttribute("to", 0));
    const bool isKnown = isHalfType(to) || dispatch(NumberAndBoolTypes{}, to, []<typename>() -> Status { return {}; });
    if (!isKnown) return unsupported("Cast to element type {} is not supported.", static_cast<int>(to));
    return makeChecked(1, [to](const Inputs& inputs, KernelOutputs& outputs) { return cast(inputs[0], to, outputs); });
}

Result<Kernel> makeCastLike(const Node&, std::int64_t) {
    return makeChecked(
        2, [](const Inputs& inputs, KernelOutputs& outputs) { return cast(inputs[0], inputs[1].dtype, outputs); });
}

constexpr KernelEntry kElementwiseCastKernels[] = {{"Cast", makeCast}, {"CastLike", makeCastLike}};

}  // namespace

std::span<const KernelEntry> castKernels() {
    return kElementwiseCastKernels;
}

}  // namespace equant::kernels
