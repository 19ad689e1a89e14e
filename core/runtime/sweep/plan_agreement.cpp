// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/runtime/sweep/plan_agreement_internal.h"

namespace equant {
namespace {

using Space = Location::Space;

/// Calls `visit(location)` for everything a step touches.
template <typename Visit>
void forEachLocation(const Plan& plan, const Step& step, const Visit& visit) {
    if (const auto* primitive = std::get_if<PrimitiveStep>(&step.action)) {
        for (const PrimitiveArgument& argument : primitive->arguments) visit(argument.location);
    } else if (const auto* native = std::get_if<NativeStep>(&step.action)) {
        for (const Location& where : native->operands) visit(where);
    } else if (const auto* kernel = std::get_if<KernelStep>(&step.action)) {
        for (const auto* slots : {&kernel->inputs, &kernel->outputs}) {
            for (const std::size_t slot : *slots) {
                if (slot != kNoSlot) visit(plan.tensorSlots[slot].location);
            }
        }
    } else {
        const auto& tap = std::get<TapStep>(step.action);
        visit(tap.slot == kNoSlot ? tap.where : plan.tensorSlots[tap.slot].location);
    }
}

template <typename Visit>
void forEachOutput(const Plan& plan, const Visit& visit) {
    for (const std::size_t slot : plan.outputs) visit(plan.tensorSlots[slot].location);
}

/// Pairs of indices that correspond; a one-to-one relation that only grows.
class Correspondence {
public:
    Correspondence(std::size_t baseSize, std::size_t candidateSize)
        : m_toCandidate(baseSize, kNoBuffer), m_toBase(candidateSize, kNoBuffer) {}

    bool match(std::size_t base, std::size_t candidate) {
        if (m_toCandidate[base] == kNoBuffer && m_toBase[candidate] == kNoBuffer) {
            m_toCandidate[base] = candidate;
            m_toBase[candidate] = base;
        }
        return m_toCandidate[base] == candidate && m_toBase[candidate] == base;
    }
    [[nodiscard]] const std::vector<std::size_t>& toBase() const { return m_toBase; }

private:
    std::vector<std::size_t> m_toCandidate;
    std::vector<std::size_t> m_toBase;
};

class Comparison {
public:
    Comparison(const Plan& base, const Plan& candidate)
        : m_base(base),
          m_candidate(candidate),
          m_buffers(base.buffers.size(), candidate.buffers.size()),
          m_slots(base.tensorSlots.size(), candidate.tensorSlots.size()),
          m_equalConstants(candidate.constants.size(), kNoBuffer) {}

    PlanAgreement run() {
        const bool areInputsEqual =
            std::equal(m_base.inputs.begin(), m_base.inputs.end(), m_candidate.inputs.begin(), m_candidate.inputs.end(),
                       [](const PlanInput& a, const PlanInput& b) { return a.dtype == b.dtype && a.shape == b.shape; });
        std::size_t cut = 0;
        const std::size_t most = std::min(m_base.steps.size(), m_candidate.steps.size());
        while (areInputsEqual && cut < most && isSame(m_base.steps[cut], m_candidate.steps[cut])) ++cut;
        while (cut > 0 && !isResumable(cut)) --cut;
        return {cut, m_buffers.toBase()};
    }

private:
    /// The candidate can go on from what the base keeps at this place.
    [[nodiscard]] bool isResumable(std::size_t cut) const {
        if (hasLiveDynamics(m_base, cut) || hasLiveDynamics(m_candidate, cut)) return false;
        const auto kept = liveBuffers(m_base, cut);
        const auto needed = liveBuffers(m_candidate, cut);
        return std::all_of(needed.begin(), needed.end(), [&](std::size_t buffer) {
            return std::binary_search(kept.begin(), kept.end(), m_buffers.toBase()[buffer]);
        });
    }

    bool isSame(const Step& a, const Step& b) {
        if (a.key.empty() || a.key != b.key || a.action.index() != b.action.index()) return false;
        if (const auto* primitive = std::get_if<PrimitiveStep>(&a.action)) {
            const auto& other = std::get<PrimitiveStep>(b.action);
            return std::equal(primitive->arguments.begin(), primitive->arguments.end(), other.arguments.begin(),
                              other.arguments.end(), [&](const PrimitiveArgument& x, const PrimitiveArgument& y) {
                                  return x.role == y.role && x.desc == y.desc && isSame(x.location, y.location);
                              });
        }
        if (const auto* native = std::get_if<NativeStep>(&a.action)) {
            const auto& other = std::get<NativeStep>(b.action);
            return std::equal(native->operands.begin(), native->operands.end(), other.operands.begin(),
                              other.operands.end(), [&](const Location& x, const Location& y) { return isSame(x, y); });
        }
        if (const auto* kernel = std::get_if<KernelStep>(&a.action)) {
            const auto& other = std::get<KernelStep>(b.action);
            return areSameSlots(kernel->inputs, other.inputs) && areSameSlots(kernel->outputs, other.outputs);
        }
        return false;
    }

    bool areSameSlots(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](std::size_t x, std::size_t y) {
            if (x == kNoSlot || y == kNoSlot) return x == y;
            const TensorSlot& inBase = m_base.tensorSlots[x];
            const TensorSlot& inCandidate = m_candidate.tensorSlots[y];
            return inBase.dtype == inCandidate.dtype && inBase.shape == inCandidate.shape &&
                   inBase.isDynamic == inCandidate.isDynamic && isSame(inBase.location, inCandidate.location);
        });
    }

    bool isSame(const Location& a, const Location& b) {
        if (a.space != b.space) return false;
        switch (a.space) {
            case Space::None:
                return true;
            case Space::Arena:
                return m_base.buffers[a.index].sizeBytes == m_candidate.buffers[b.index].sizeBytes &&
                       m_buffers.match(a.index, b.index);
            case Space::Constant:
                return isSameConstant(a.index, b.index);
            case Space::Input:
                return a.index == b.index;
            case Space::Dynamic:
                return m_slots.match(a.index, b.index);
        }
        return false;
    }

    bool isSameConstant(std::size_t base, std::size_t candidate) {
        if (m_equalConstants[candidate] == base) return true;
        const Tensor& inBase = m_base.constants[base];
        const Tensor& inCandidate = m_candidate.constants[candidate];
        const bool isSame = inBase.dtype() == inCandidate.dtype() && inBase.shape() == inCandidate.shape() &&
                            (inBase.sharesDataWith(inCandidate) || inBase == inCandidate);
        if (isSame) m_equalConstants[candidate] = base;
        return isSame;
    }

    const Plan& m_base;
    const Plan& m_candidate;
    Correspondence m_buffers;
    Correspondence m_slots;
    std::vector<std::size_t> m_equalConstants;  ///< by constant of the candidate: one of the base found equal
};

}  // namespace

PlanAgreement agreementOf(const Plan& base, const Plan& candidate) {
    return Comparison(base, candidate).run();
}

std::vector<std::size_t> liveBuffers(const Plan& plan, std::size_t cut) {
    std::vector<std::size_t> live;
    for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
        if (plan.buffers[i].first < cut && plan.buffers[i].last >= cut) live.push_back(i);
    }
    return live;
}

bool hasLiveDynamics(const Plan& plan, std::size_t cut) {
    if (std::none_of(plan.tensorSlots.begin(), plan.tensorSlots.end(),
                     [](const TensorSlot& slot) { return slot.isDynamic; }))
        return false;
    std::vector<bool> isTouched(plan.tensorSlots.size(), false);
    for (std::size_t i = 0; i < cut; ++i) {
        forEachLocation(plan, plan.steps[i], [&](const Location& where) {
            if (where.space == Space::Dynamic) isTouched[where.index] = true;
        });
    }
    bool isLive = false;
    const auto visit = [&](const Location& where) {
        isLive |= where.space == Space::Dynamic && isTouched[where.index];
    };
    for (std::size_t i = cut; i < plan.steps.size(); ++i) forEachLocation(plan, plan.steps[i], visit);
    forEachOutput(plan, visit);
    return isLive;
}

bool readsInputs(const Plan& plan, std::size_t first, std::size_t last) {
    bool isRead = false;
    const auto visit = [&](const Location& where) { isRead |= where.space == Space::Input; };
    for (std::size_t i = first; i < last; ++i) forEachLocation(plan, plan.steps[i], visit);
    if (last == plan.steps.size()) forEachOutput(plan, visit);
    return isRead;
}

std::vector<double> workBefore(const Plan& plan) {
    std::vector<double> sums{0.0};
    for (const Step& step : plan.steps) sums.push_back(sums.back() + step.work);
    return sums;
}

}  // namespace equant
