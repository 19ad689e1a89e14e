// SPDX-License-Identifier: GPL-3.0-or-later
// Sorting and filtering of the layer table. A filter is words separated by blanks, all of which must hold: a word is
// part of a name or type ("conv", "blocks/3"), "type:conv", or a comparison "bits<4", "sqnr<=20", "macs>1M".
#pragma once

#include <QSortFilterProxyModel>
#include <optional>
#include <vector>

namespace equant::ui {

class LayerFilter : public QSortFilterProxyModel {
    Q_OBJECT

public:
    explicit LayerFilter(QObject* parent = nullptr);

    void setFilterText(const QString& text);
    QString filterText() const { return m_text; }
    void setOnlyWeighted(bool on);
    /// What the filter box explains in its tool tip.
    static QString help();

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
    bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

private:
    struct Term {
        QString word;  ///< lower case
        bool isType = false;
        int column = -1;  ///< comparison when not negative
        QString comparison;
        double value = 0;
    };
    static Term parse(const QString& word);

    QString m_text;
    std::vector<Term> m_terms;
    bool m_isOnlyWeighted = false;
};

}  // namespace equant::ui
