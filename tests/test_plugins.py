import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from forensic_cli import entries, hookspecs
from forensic_cli.entries import DETECTORS, REPORTS
from forensic_cli.errors import PluginError, UsageError
from forensic_cli.plugins import Offer, Plugins
from installing import DETECTOR, install

ATTRIBUTE = DETECTOR.format(name="stranger").replace("    def score", "    {}\n    def score").replace("{!r}", "")
OPTIONS = "from dataclasses import dataclass\n" + DETECTOR.format(name="stranger").replace(
    "    def score", "    @dataclass(frozen=True)\n    class Options:\n        {}\n    def score"
)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.mark.parametrize("group", ["forensic.detectors", "forensic.reports", "console_scripts", "pytest11"])
def test_entry_points_are_those_of_importlib(group):
    theirs = {(point.name, point.module, point.dist.name, point.dist.version) for point in entry_points(group=group)}
    ours = {(one.name, one.module, one.distribution, one.version) for one in entries.installed(group)}
    assert ours == theirs
    assert ours


def test_a_stranger_is_found_and_not_imported(site):
    install(site, "stranger", code="raise RuntimeError('imported')")
    found = {entry.name: entry for entry in Plugins().detectors}
    assert str(found["stranger"]) == "stranger 0.1 [stranger]"
    assert "stranger" not in sys.modules


def test_its_idea_is_read_without_import(site):
    install(site, "stranger", code="'''One\nsentence.\n\nMore.'''\nraise RuntimeError")
    assert entries.summary("stranger") == "One sentence."
    assert entries.summary("no.such.module") == ""


def test_hook_register_detectors(site):
    install(site, "stranger")
    offer = Plugins().detector("stranger")
    assert (offer.name, offer.factory.__name__, offer.entry.distribution) == ("stranger", "Mine", "stranger")


def test_hook_register_reports():
    assert type(Plugins().report("json")).__name__ == "JsonReport"


def test_every_hook_has_a_test():
    hooks = {name for name in vars(hookspecs) if name.startswith("register_")}
    assert hooks == {name.removeprefix("test_hook_") for name in globals() if name.startswith("test_hook_")}


def test_variants(site):
    install(site, "stranger", code=DETECTOR.format(name="stranger") + "    register('stranger.large', Mine)\n")
    plugins = Plugins()
    assert plugins.detector("stranger.large").name == "stranger.large"
    assert [one.name for one in plugins.variants("stranger")] == ["stranger", "stranger.large"]
    with pytest.raises(UsageError, match=r"stranger\.larg'.*did you mean stranger\.large"):
        plugins.detector("stranger.larg")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_module", r"stranger 0\.1 \[stranger\]: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "registers no method 'stranger'"),
        (DETECTOR.format(name="other"), "may register 'stranger'"),
        (DETECTOR.replace("Mine)", "len)").format(name="stranger"), "is not a subclass of Detector"),
        (DETECTOR.replace("(register)", "(register, more)").format(name="stranger"), "more"),
        (DETECTOR.replace("detectors", "detektors").format(name="stranger"), "unknown hook"),
        ("class Odd(BaseException): pass\nraise Odd('stop')", "Odd: stop"),
        (ATTRIBUTE.format("looks_at = 'pixel'"), "looks at 'pixel'"),
        (DETECTOR.replace("def score", "def scores").format(name="stranger"), "defines neither score nor examine"),
        (OPTIONS.format("size: int"), "Options of 'stranger' cannot be used"),
        (OPTIONS.format("size: 'Nowhere' = 1"), "NameError"),
    ],
)
def test_a_broken_plugin_is_blamed_by_name_and_harms_nobody(site, code, message):
    install(site, "stranger", code=code)
    plugins = Plugins()
    for _ in range(2):  # the second time from memory
        with pytest.raises(PluginError, match=message) as caught:
            plugins.detector("stranger")
        assert "stranger 0.1 [stranger]" in str(caught.value)
        assert "pip uninstall stranger" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert plugins.detector("provenance").name == "provenance"
    failures = [one for one in plugins.load_all(DETECTORS) if not isinstance(one, Offer)]
    assert [str(failure) for failure in failures] == [str(caught.value)]


def test_two_distributions_with_one_name_are_refused_and_both_named(site):
    install(site, "first", entry="same")
    install(site, "second", entry="same", version="2.0")
    with pytest.raises(PluginError, match=r"first 0\.1 and second 2\.0 both offer .* 'same'"):
        Plugins().detector("same")


def test_nobody_takes_our_names(site):
    install(site, "stranger", entry="wepe")
    with pytest.raises(PluginError, match=r"forensic-cli .* and stranger 0\.1 both offer"):
        Plugins().detector("wepe")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UsageError, match=r"there is no method 'wep'; did you mean wepe\?"):
        Plugins().detector("wep")


@pytest.mark.parametrize(("allowed", "names"), [("stranger", {"stranger"}), ("", set()), ("forensic-cli,other", None)])
def test_the_allow_list(site, monkeypatch, allowed, names):
    install(site, "stranger")
    monkeypatch.setenv("FORENSIC_PLUGINS", allowed)
    found = set(Plugins().names(DETECTORS))
    assert found == names if names is not None else "stranger" not in found and "wepe" in found
    assert {"json", "table"} <= set(Plugins().names(REPORTS))


def test_a_loose_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(DETECTOR.format(name="anything"))
    assert Plugins([path]).detector("anything").entry.distribution == str(path)


@pytest.mark.parametrize(
    ("code", "message"), [("1/0", "ZeroDivisionError"), (DETECTOR.format(name="wepe"), "already"), ("", "registers no")]
)
def test_a_loose_file_that_cannot_be_used(tmp_path, code, message):
    path = tmp_path / "mine.py"
    path.write_text(code)
    with pytest.raises(PluginError, match=message):
        Plugins([path])


def test_a_loose_file_that_is_not_there():
    with pytest.raises(PluginError, match="no such file"):
        Plugins([Path("/no/such/file.py")])


def test_only_our_own_distribution_names_defaults(site):
    install(site, "stranger")
    metadata = site / "stranger-0.1.dist-info" / "entry_points.txt"
    metadata.write_text(metadata.read_text() + "[forensic.defaults]\nstranger = stranger\n")
    assert set(Plugins().defaults) == {"provenance", "probe"}


def test_every_first_party_plugin_is_in_the_metadata():
    root = Path(__file__).parent.parent / "plugins"
    for package, group in (("forensic_detectors", DETECTORS), ("forensic_reports", REPORTS)):
        hooked = [path.relative_to(root) for path in (root / package).rglob("*.py") if "\n@hookimpl\n" in path.read_text()]
        modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in hooked}
        ours = [one for one in entries.installed(group) if one.distribution == "forensic-cli"]
        assert {one.module for one in ours} == modules
        assert {one.name for one in ours} == {module.rpartition(".")[2] for module in modules}


def test_one_module_may_offer_a_detector_and_a_report_of_one_name(site):
    code = DETECTOR.format(name="both") + (
        "\nfrom forensic_cli import Report\nclass R(Report):\n    def write(self, scan, stream): pass\n"
        "@hookimpl\ndef register_reports(register):\n    register('both', R)\n"
    )
    install(site, "both", code=code)
    metadata = site / "both-0.1.dist-info" / "entry_points.txt"
    metadata.write_text(metadata.read_text() + "[forensic.reports]\nboth = both\n")
    plugins = Plugins()
    assert plugins.detector("both").name == "both"
    assert type(plugins.report("both")).__name__ == "R"
