// SPDX-License-Identifier: GPL-3.0-or-later
// Changes the plan being edited: ratios, methods, locks and suggestions. A ratio that is dragged is kept here; the document
// gets it on release. Every change is one undo step. GUI thread only.
#pragma once

#include <QObject>
#include <optional>

#include "app/desktop/document/compression_state.h"
#include "widgets/plots/compression/ratio_profile.h"

class QMenu;

namespace equant::ui {

class CompressionView;
class Session;

class PlanEditor : public QObject {
    Q_OBJECT

public:
    PlanEditor(Session& session, QObject* parent) : QObject(parent), m_session(session) {}
    /// The sensitivities that choices are made with; null: nothing can be edited. Not owned.
    void setView(const CompressionView* view) { m_view = view; }
    /// The plan being dragged, else the document's.
    const CompressionPlan& plan() const;
    bool isDragging() const { return m_dragged.has_value(); }
    void cancelDrag() { m_dragged.reset(); }
    void setRatios(const QList<plots::RatioChange>& changes, bool isFinished,
                   std::optional<CompressionMethod> method = {});
    /// CompressionMethod; -1: do not compress.
    void setMethod(const QStringList& layers, int method);
    void tryMethod(CompressionMethod method);
    void toggleLocks(const QStringList& layers);
    void resetToSuggestion(const QStringList& layers);
    void adopt(CompressionPlan plan);
    /// What can be done with these layers, owned by `parent`; null: nothing.
    QMenu* createLayerMenu(const QStringList& layers, QWidget* parent);

signals:
    void ratioMoved(const QString& layer, double ratio);  ///< of the plan that is dragged
    void dragged();
    void settled();  ///< an edit ended that may have changed nothing

private:
    void commit(const QString& text);

    Session& m_session;
    const CompressionView* m_view = nullptr;
    std::optional<CompressionPlan> m_dragged;
};

}  // namespace equant::ui
