"""From the names that a user typed to detectors ready to run, with everything that their numbers depend on."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from forensic_cli import __version__, images, options
from forensic_cli.abilities import Opens
from forensic_cli.detector import Detector, Session
from forensic_cli.entries import DETECTORS
from forensic_cli.errors import ForensicError, PluginError, UsageError, WeightsError, nearest, reason
from forensic_cli.plugins import Offer, Plugins
from forensic_cli.records import MethodUse
from forensic_cli.weights import Located, find, locate

Settings = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Method:
    """A detector in a run. `key` names its results in the store; `error` is set if it cannot run at all."""

    name: str
    detector: Detector
    use: MethodUse
    key: str
    error: str | None = None

    @property
    def looks_at_pixels(self) -> bool:
        return self.detector.looks_at == "pixels"


def usual(plugins: Plugins) -> tuple[list[str], list[str]]:
    """What runs when no method is asked for, and a line about each that would join them if its weights were here."""
    names, hints = list(plugins.defaults), []
    for name in plugins.stronger:
        needed = options.weights_of(plugins.detector(name).factory.Options())
        if all(find(weights) for weights in needed):
            names.append(name)
            continue
        size = sum(weights.bytes or 0 for weights in needed) / 1e6
        licences = ", ".join(sorted({weights.licence for weights in needed}))
        hints.append(f"{name} would make the answer stronger: forensic weights pull {name} ({size:.0f} MB, {licences})")
    return names, hints


def offers(names: Sequence[str], plugins: Plugins, settings: Settings) -> list[Offer]:
    """The plugins asked for, imported, in the order typed and each once.

    Raises UsageError or PluginError before anything is read, also for settings of a method that is not asked for.
    """
    chosen = list(dict.fromkeys(names))
    if not chosen:
        allowed = os.environ.get("FORENSIC_PLUGINS")
        cure = "name one with --methods" if allowed is None else f"FORENSIC_PLUGINS allows only {allowed!r}"
        raise UsageError(f"no method is installed that runs by default: {cure}")
    for method in settings:
        if method not in chosen:
            known = "" if method in plugins.names(DETECTORS) else f"; {nearest(method, plugins.names(DETECTORS))}"
            raise UsageError(f"a setting is given for {method!r}, which is not among the methods of this scan{known}")
    return [plugins.detector(name) for name in chosen]


def prepare(chosen: Sequence[Offer], settings: Settings, session: Session) -> list[Method]:
    """Each detector made with its options, its weights found and hashed, and opened if it has the ability.

    A method whose weights cannot be had, or are none of its own, is kept with its `error`. Raises UsageError for options,
    and WeightsError if no method is left that can run.
    """
    methods = [_prepare(offer, settings.get(offer.name, {}), session) for offer in chosen]
    if all(method.error for method in methods):
        raise WeightsError(methods[0].error or "")
    return methods


def labelled(offer: Offer, settings: Mapping[str, str], session: Session, label: str) -> Method:
    """One detector under a name of its own, so that several settings of it can stand in one table."""
    return replace(_prepare(offer, settings, session), name=label)


def _prepare(offer: Offer, settings: Mapping[str, str], session: Session) -> Method:
    try:
        chosen = options.build(offer.factory.Options, settings, offer.name)
        with redirect_stdout(sys.stderr):
            detector: Detector = offer.factory(session, chosen)
    except ForensicError:
        raise
    except Exception as problem:
        raise PluginError(f"{offer.entry}: {reason(problem)}") from problem
    detector.name = offer.name
    located: list[Located] = []
    error = None
    try:
        located = [locate(weights, offline=session.offline) for weights in options.weights_of(chosen)]
        if isinstance(detector, Opens):
            with redirect_stdout(sys.stderr):
                detector.open_weights()
    except WeightsError as problem:
        error = f"{offer.name}: {problem}".replace("METHOD", offer.name)
    except Exception as problem:  # what the detector's own code raises
        error = f"{offer.name}: {reason(problem)}"
    use = MethodUse(
        name=offer.name,
        distribution=offer.entry.distribution,
        version=offer.entry.version,
        options=options.to_json(chosen),
        weights=tuple(one.to_json() for one in located),
    )
    return Method(offer.name, detector, use, _key(use, offer.factory, detector, session), error)


def _key(use: MethodUse, factory: type, detector: Detector, session: Session) -> str:
    """The name of a method's results: changes whenever anything changes that a score may depend on."""
    facts: list[object] = [
        __version__,
        use.to_json(),
        _sources(factory),
        session.seed,
        sorted(_versions(detector).items()),
    ]
    facts += [_digest(path) for path in options.paths_of(detector.options)]
    if detector.looks_at == "pixels":
        facts += [session.device.partition(":")[0], session.dtype, session.half, images.decoder(), _host_code()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _versions(detector: Detector) -> dict[str, str]:
    found = {}
    for distribution in detector.libraries:
        try:
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            found[distribution] = "absent"
    return found


def libraries(methods: Sequence[Method]) -> dict[str, str]:
    """The versions of the libraries that the detectors of a run say they depend on."""
    return dict(sorted(pair for method in methods for pair in _versions(method.detector).items()))


def _sources(factory: type) -> str:
    """A digest of the plugin's own code, so that an author who edits it does not meet his old scores."""
    top = sys.modules.get(factory.__module__.partition(".")[0])
    path = Path(getattr(top, "__file__", None) or "nowhere")
    return _digest(*(sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]))


def _host_code() -> str:
    """A digest of the host's code that stands between the bytes of a file and a detector's score."""
    folder = Path(images.__file__).parent
    return _digest(folder / "images.py", folder / "detector.py", *sorted((folder / "features").rglob("*.py")))


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()
