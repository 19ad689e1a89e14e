// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/diagnose/activation_memory.h"

#include <algorithm>
#include <new>

#include "core/runtime/emit/memory_planner_internal.h"
#include "core/runtime/ir/ir_internal.h"

namespace equant {

namespace {

class Lifetimes {
public:
    explicit Lifetimes(const ir::Program& program) : m_program(program), m_home(program.values.size(), kNone) {}

    Status run() {
        for (const ir::ValueId id : m_program.inputs)
            if (auto done = create(id, 0); !done) return done;
        for (std::size_t at = 0; at < m_program.ops.size(); ++at) {
            const ir::Op& op = m_program.ops[at];
            for (const ir::ValueId id : op.inputs) touch(id, at);
            for (const ir::Post& post : op.posts) touch(post.operand, at);
            for (const ir::ValueId id : op.outputs) {
                if (id == ir::kNoValue) continue;
                if (op.kind == ir::Kind::Alias && m_home[op.inputs[0]] != kNone) {
                    m_home[id] = m_home[op.inputs[0]];
                    continue;
                }
                if (auto done = create(id, at); !done) return done;
                m_written += m_buffers.back().sizeBytes;
            }
        }
        for (const ir::ValueId id : m_program.outputs) touch(id, m_program.ops.size());
        return {};
    }

    [[nodiscard]] ActivationMemory total() const {
        return {static_cast<std::int64_t>(m_written), static_cast<std::int64_t>(mostAlive(m_buffers))};
    }

private:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    Status create(ir::ValueId id, std::size_t at) {
        const ir::Value& value = m_program.values[id];
        if (!value.shape)
            return fail(ErrorCode::Unsupported, "The size of an activation is only known while running.", {},
                        value.name);
        const auto bits = elementCount(*value.shape) * bitWidth(value.dtype);
        m_home[id] = m_buffers.size();
        m_buffers.push_back({static_cast<std::size_t>((bits + 7) / 8), at, at, 0});
        return {};
    }

    void touch(ir::ValueId id, std::size_t at) {
        if (id != ir::kNoValue && m_home[id] != kNone) m_buffers[m_home[id]].last = at;
    }

    const ir::Program& m_program;
    std::vector<std::size_t> m_home;  ///< by value: its buffer; kNone for constants
    std::vector<ArenaBuffer> m_buffers;
    std::size_t m_written = 0;
};

/// Samples in one pass, where the model fixes their number.
std::int64_t samplesOf(const ir::Program& program) {
    if (program.inputs.empty()) return 1;
    const auto& shape = program.values[program.inputs.front()].shape;
    return shape && !shape->empty() ? std::max<std::int64_t>(shape->front(), 1) : 1;
}

}  // namespace

Result<ActivationMemory> activationMemory(const Model& model, const CompileOptions& options) {
    try {
        auto program = ir::lower(model, options);
        if (!program) return fail(program.error());
        if (options.fuse) ir::fuseOperators(*program);
        Lifetimes lifetimes(*program);
        if (const auto done = lifetimes.run(); !done) return fail(done.error());
        ActivationMemory memory = lifetimes.total();
        const std::int64_t samples = samplesOf(*program);
        memory.writtenBytes /= samples;
        memory.peakBytes /= samples;
        return memory;
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "There is not enough memory to prepare the model.", "Try smaller inputs.");
    }
}

}  // namespace equant
