"""Comparison of a run's results, and the report that shows it as one HTML file.

`compare` imports nothing heavy; what draws (altair, vl-convert) is imported when a report is rendered.
"""

from bimodal_reports.audit_section import audit_tables
from bimodal_reports.audits import AuditedCell
from bimodal_reports.compare import Evidence, compare
from bimodal_reports.paces import paces_of
from bimodal_reports.render import render
from bimodal_reports.terminal import closing_table

__all__ = ["AuditedCell", "Evidence", "audit_tables", "closing_table", "compare", "paces_of", "render"]
