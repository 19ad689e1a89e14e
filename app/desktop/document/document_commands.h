// SPDX-License-Identifier: GPL-3.0-or-later
// The undo command of the window: exchanges the document's decisions as a whole. Neighbouring edits of one control
// (a spin box being turned) merge.
#pragma once

#include <QUndoCommand>

#include "app/desktop/document/document.h"

namespace equant::ui {

class StateCommand : public QUndoCommand {
public:
    StateCommand(Document& document, DocumentState before, DocumentState after, const QString& text, int mergeId)
        : QUndoCommand(text),
          m_document(document),
          m_before(std::move(before)),
          m_after(std::move(after)),
          m_mergeId(mergeId) {}

    void undo() override { m_document.setState(m_before); }
    void redo() override { m_document.setState(m_after); }
    int id() const override { return m_mergeId; }
    bool mergeWith(const QUndoCommand* other) override {
        const auto* next = static_cast<const StateCommand*>(other);
        m_after = next->m_after;
        setText(next->text());
        setObsolete(m_after == m_before);
        return true;
    }

private:
    Document& m_document;
    DocumentState m_before;
    DocumentState m_after;
    int m_mergeId;
};

}  // namespace equant::ui
