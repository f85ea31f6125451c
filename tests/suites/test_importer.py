"""galaxy-importer: what Galaxy itself would say of the collection. It ends well with warnings; this does not."""

from __future__ import annotations

from checkout import ROOT, run


def test_import_without_a_warning(tmp_path):
    run("ansible-galaxy", "collection", "build", "--output-path", tmp_path)
    (tarball,) = tmp_path.glob("*.tar.gz")
    python = ROOT / ".venv-importer/bin/python"
    path = f"{python.parent}:/usr/local/bin:/usr/bin:/bin"
    said = run(python, "-m", "galaxy_importer.main", tarball, cwd=tmp_path, PATH=path, GALAXY_IMPORTER_CHECK_REQUIRED_TAGS="true")
    assert "Importer processing completed successfully" in said
    assert [line for line in said.splitlines() if line.startswith(("WARNING", "ERROR"))] == []
