// SPDX-License-Identifier: GPL-3.0-or-later
// Findings of the preflight check as a table: severity, layer, message. GUI thread only.
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "core/base/finding.h"

namespace equant::ui {

class FindingModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { SeverityColumn, Id, Subject, Message, ColumnCount };
    enum Role { SubjectRole = Qt::UserRole };

    explicit FindingModel(QObject* parent = nullptr);
    /// Sorted by severity, worst first.
    void setFindings(std::vector<Finding> findings);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<Finding> m_findings;
};

}  // namespace equant::ui
