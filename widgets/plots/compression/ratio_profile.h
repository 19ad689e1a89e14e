// SPDX-License-Identifier: GPL-3.0-or-later
// The ratio of every layer, editable: rows are layers in the order of the table, x is the cost left. Hollow dots are
// suggested, solid ones chosen, a padlock holds a ratio. Dots are dragged along their row and snap to legal ratios; a
// selection moves together and keeps its distances. Arrow keys step, Space or L locks, Home takes the suggestion.
// The plot shows a drag at once; locks and resets are requests that the owner of the plan answers. GUI thread only.
#pragma once

#include <QHash>
#include <QList>

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct RatioItem {
    QString key = {}, label = {};
    double suggested = kNone;  ///< 0..1, kNone: no suggestion
    double chosen = 1.0;       ///< 0..1
    bool isLocked = false;
    std::vector<double> legal = {};  ///< ratios the layer can have, ascending; empty: multiples of the step
    QStringList legalTexts = {};     ///< what each of them means, such as "rank 24 of 64"; may be empty
    QString skipReason = {};         ///< not empty: the layer stays as it is, and why
};

struct RatioProfileData {
    std::vector<RatioItem> layers = {};  ///< in the order of the table
    double step = 0.05;                  ///< of arrow keys and of layers without legal ratios
    double lowest = 0.1;                 ///< left end of the axis
    QString costName = {};               ///< such as "MACs"
};

struct RatioChange {
    QString key = {};
    double ratio = 1.0;
    friend bool operator==(const RatioChange&, const RatioChange&) = default;
};

class RatioProfile : public PlotView {
    Q_OBJECT

public:
    explicit RatioProfile(QWidget* parent = nullptr);
    void setData(RatioProfileData content);
    /// Without telling anybody; unknown keys are ignored.
    void setRatio(const QString& key, double ratio);
    void setRatios(const QList<RatioChange>& changes);
    void setLocked(const QString& key, bool isLocked);
    /// The ratio shown for a layer, kNone when there is no such layer.
    double ratio(const QString& key) const;
    PlotTable table() const override;
    QMenu* createContextMenu() override;

signals:
    /// By mouse (`isFinished` on release) or keyboard (always finished); every layer that moves with the drag.
    void ratiosDragged(const QList<equant::plots::RatioChange>& changes, bool isFinished);
    void lockToggled(const QStringList& keys);
    void resetRequested(const QStringList& keys);

protected:
    PlotScene buildScene() const override;
    void pointMoved(const QString& series, const PlotPoint& point, QPointF value, bool isFinished) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    const RatioItem* find(const QString& key) const;
    QStringList concerned() const;
    QStringList movable(const QStringList& keys) const;
    double snapped(const RatioItem& item, double ratio) const;
    double stepped(const RatioItem& item, int direction) const;
    void step(int direction);
    QString meaningOf(const RatioItem& item) const;
    QString hoverOf(const RatioItem& item) const;
    void setAxes(PlotScene& scene, double leftmost) const;
    RatioProfileData m_data;
    QHash<QString, int> m_rows;
    QList<RatioChange> m_dragStart;  ///< ratios when the drag began; empty: no drag
};

}  // namespace equant::plots
