// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/finding_model.h"

#include <QApplication>
#include <QStyle>
#include <algorithm>

#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

FindingModel::FindingModel(QObject* parent) : QAbstractTableModel(parent) {}

void FindingModel::setFindings(std::vector<Finding> findings) {
    beginResetModel();
    m_findings = std::move(findings);
    std::ranges::stable_sort(m_findings, std::ranges::greater{}, &Finding::severity);
    endResetModel();
}

int FindingModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_findings.size());
}

int FindingModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant FindingModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const Finding& finding = m_findings[static_cast<std::size_t>(index.row())];
    if (role == SubjectRole) return toQString(finding.subject);
    if (role == Qt::ToolTipRole)
        return toQString(finding.hint.empty() ? finding.message : finding.message + "\n" + finding.hint);
    if (role == Qt::DecorationRole && index.column() == SeverityColumn) {
        const auto icon = finding.severity == Severity::Error     ? QStyle::SP_MessageBoxCritical
                          : finding.severity == Severity::Warning ? QStyle::SP_MessageBoxWarning
                                                                  : QStyle::SP_MessageBoxInformation;
        return QApplication::style()->standardIcon(icon);
    }
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case SeverityColumn:
            return finding.severity == Severity::Error     ? tr("Error")
                   : finding.severity == Severity::Warning ? tr("Warning")
                                                           : tr("Note");
        case Id:
            return toQString(finding.id);
        case Subject:
            return finding.subject.empty() ? tr("whole model") : toQString(finding.subject);
        case Message:
            return finding.hint.empty() ? toQString(finding.message) : toQString(finding.message + " " + finding.hint);
        default:
            return {};
    }
}

QVariant FindingModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case SeverityColumn:
            return tr("Severity");
        case Id:
            return tr("Finding");
        case Subject:
            return tr("Layer");
        case Message:
            return tr("What it means");
        default:
            return {};
    }
}

}  // namespace equant::ui
