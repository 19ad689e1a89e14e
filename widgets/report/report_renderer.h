// SPDX-License-Identifier: GPL-3.0-or-later
// Draws laid-out pages into a PDF with text as text and plots as vectors, or into pictures. GUI thread only.
#pragma once

#include <QImage>

#include "widgets/report/report_layout.h"

namespace equant::report {

/// The file's bytes. They depend on nothing but report and paper: the date inside is the report's.
QByteArray toPdf(const Report& report, Paper paper);
/// One picture of a page.
QImage toImage(const Layout& layout, std::size_t page, int dotsPerInch = 110);
/// A figure alone, `size` in pixels of 1/96 inch, drawn at twice that resolution.
QImage toImage(const Figure& figure, QSize size);

}  // namespace equant::report
