"""Verdicts at a stated rate: what p-values, limits, bands and rates come out, and that they hold."""

import numpy as np
import pytest
from scipy.stats import binom

from forensic_cli.engine.judging import Basis, Judge, Point
from forensic_cli.profiles import Calibrated, Collection
from forensic_cli.records import FileRecord, Finding, MethodUse, Stability, Verdict

SIZED = Collection(400, 0, ("photos/",), {"JPEG": 400}, (200.0, 240.0, 500.0, 4000.0))
CAMERAS = np.arange(1, 401.0)


def basis(scores=CAMERAS, sample=SIZED):
    use = MethodUse("a", "dist", "1", {}, ())
    return Basis(Calibrated.of(use, np.asarray(scores, float)), sample, "p.json")


def record(verdict=None, width=1000, stability=None, **scores):
    findings = tuple(Finding(name, score=score, stability=stability) for name, score in scores.items())
    return FileRecord(
        "x.jpg", "ok", sha256="00", format="JPEG", width=width, height=1000, verdict=verdict, findings=findings
    )


def judged(record, fpr=0.01, **bases):
    return Judge(bases or {"a": basis()}, Point(fpr)).judged(record)


def labelled(score, **settings):
    verdict = judged(record(a=score), **settings).verdict
    return verdict.label, verdict.p_value


def test_the_p_value_is_conformal():
    assert labelled(401)[1] == pytest.approx(1 / 401)
    assert labelled(400)[1] == pytest.approx(2 / 401)  # one photograph is as high
    assert labelled(-5)[1] == 1


@pytest.mark.parametrize("fpr", [0.01, 0.05, 0.1])
def test_the_band_is_where_exact_limits_of_the_rate_lie_on_either_side(fpr):
    for score in range(340, 402):
        above = 401 - score  # photographs that score at least so
        surely_less = binom.cdf(above, 400, fpr) <= 0.05  # so few would be rare: the rate is lower
        surely_more = binom.sf(above - 1, 400, fpr) < 0.05
        expected = "generated" if surely_less else "unflagged" if surely_more else "inconclusive"
        assert labelled(score, fpr=fpr)[0] == expected, score


def test_so_few_photographs_never_call_anything_generated():
    few = basis(range(298))
    verdict = judged(record(a=1e9), a=few).verdict
    assert verdict.label == "inconclusive"
    assert verdict.reason == "so few photographs that no score can be called generated at this rate"
    assert "299 independent ones can" in Judge({"a": few}, Point(0.01)).lacking()
    assert Judge({"a": few}, Point(0.01, fdr=0.1)).lacking() is None
    assert Judge({"a": basis(range(299))}, Point(0.01)).lacking() is None
    both = {"a": basis(range(299)), "b": basis(range(299))}
    assert (
        "736 independent ones of each can" in Judge(both, Point(0.01)).lacking()
    )  # Bonferroni's half of the rate, and of the tail
    assert judged(record(a=1e9, b=1e9), **both).verdict.label == "inconclusive"
    assert Judge({name: basis(range(736)) for name in "ab"}, Point(0.01)).lacking() is None
    assert judged(record(a=1e9), a=basis(range(299))).verdict.label == "generated"


def test_a_small_image_is_outside_whatever_its_score():
    verdict = judged(record(a=1e9, width=100)).verdict
    assert verdict.label == "inconclusive"
    assert "smaller than what was calibrated" in verdict.reason


def test_copies_that_are_judged_otherwise_make_it_inconclusive():
    assert judged(record(a=1e3, stability=Stability(1e3, 2e3, 5))).verdict.label == "generated"
    verdict = judged(record(a=1e3, stability=Stability(0.0, 2e3, 5))).verdict
    assert (verdict.label, "judged otherwise" in verdict.reason) == ("inconclusive", True)
    assert judged(record(a=5.0, stability=Stability(5.0, 1e3, 5))).verdict.label == "inconclusive"
    assert judged(record(a=5.0, stability=Stability(1.0, 9.0, 5))).verdict.label == "unflagged"


def test_what_a_file_states_comes_before_its_score():
    verdict = judged(record(a=1.0, verdict=Verdict("generated", "provenance"))).verdict
    assert (verdict.label, verdict.basis) == ("generated", "provenance")
    assert verdict.p_value == 1  # 400 of 400 are as high


def test_without_a_calibrated_score_there_is_no_verdict():
    assert judged(record(b=3.0)).verdict is None
    assert judged(record(b=3.0)).findings[0].p_value is None


def test_several_methods_are_combined_and_one_that_failed_does_not_loosen_the_others():
    both = {"a": basis(), "b": basis()}
    assert judged(record(a=401.0, b=1.0), **both).verdict.p_value == pytest.approx(2 / 401)
    assert judged(record(a=401.0), **both).verdict.p_value == pytest.approx(2 / 401)
    assert judged(record(a=401.0, b=1.0), **both).findings[0].verdict == "generated"  # by itself


def test_q_values_and_the_rate_of_false_discoveries():
    judge = Judge({"a": basis()}, Point(0.01, fdr=0.05))
    scores = [1e9] * 30 + list(range(1, 200)) + [None]
    records = [record(**({} if score is None else {"a": float(score)})) for score in scores]
    first = [judge.judged(one) for one in records]
    last = list(judge.settled(first))
    assert [one.verdict.label for one in last[:30]] == ["generated"] * 30
    assert last[0].verdict.q_value == pytest.approx(229 / 30 / 401)
    assert {one.verdict.label for one in last[30:-1]} == {"unflagged"}
    assert last[-1].verdict is None


@pytest.mark.parametrize("rule", ["bonferroni", "median", "mean", "harmonic"])
def test_the_stated_false_positive_rate_holds_for_two_methods_that_depend_on_each_other(rule):
    """Over calibrations of 500 photographs; each time 200 other photographs are judged."""
    generator = np.random.default_rng(1)
    flagged = []
    for _ in range(40):
        shared = generator.normal(size=(700, 1))
        scores = shared + 0.3 * generator.normal(size=(700, 2))
        judge = Judge(
            {name: basis(scores[:500, column], Collection(500, 0, (), {}, ())) for column, name in enumerate("ab")},
            Point(0.05, rule=rule),
        )
        labels = [judge.judged(record(a=row[0], b=row[1])).verdict.label for row in scores[500:]]
        flagged.append(labels.count("generated") / len(labels))
    error = np.std(flagged) / np.sqrt(len(flagged))
    assert np.mean(flagged) <= 0.05 + 4 * error
    assert np.mean(flagged) > 0.001  # it does flag: the bound is not kept by never speaking


def wide(scores, **known):
    """A basis with more known of its photographs."""
    use = MethodUse("a", "dist", "1", {}, ())
    return Basis(Calibrated.of(use, np.asarray(scores, float), **known), SIZED, "p.json")


def test_photographs_of_few_sources_draw_the_line_higher():
    """Sources of ten photographs that score alike are worth a tenth of as many of their own."""
    scores = np.repeat(np.random.default_rng(0).permutation(40) * 10.0, 10) + np.tile(np.arange(10), 40) / 10
    sources = [str(number // 10) for number in range(400)]
    alone, together = wide(scores), wide(scores, sources=sources)
    assert (together.calibrated.sources, alone.calibrated.worth) == (40, 1)
    assert 0.09 < together.calibrated.worth < 0.15
    assert together.calibrated.verdict_threshold(0.05) is None  # forty are fewer than 59
    assert alone.calibrated.verdict_threshold(0.05) > 370
    assert judged(record(a=1e9), fpr=0.05, a=together).verdict.label == "inconclusive"
    assert judged(record(a=1e9), fpr=0.1, a=together).verdict.label == "generated"
    near = [judged(record(a=score), fpr=0.1, a=together).verdict for score in np.linspace(0, 400, 80)]
    (reason,) = {one.reason for one in near if one.label == "inconclusive"}
    assert reason.startswith("so near the threshold that 400 photographs (of 40 sources, worth 4")
    assert "400 photographs (of 40 sources" in Judge({"a": together}, Point(0.05)).lacking()


def test_what_a_method_takes_for_no_photograph_is_inconclusive():
    known = wide(CAMERAS, unlike=np.linspace(-5, 0, 400))
    strange = Finding("a", score=1e9, unlike=0.5)
    usual = Finding("a", score=1e9, unlike=-0.5)
    for finding, label in ((strange, "inconclusive"), (usual, "generated"), (Finding("a", score=1e9), "generated")):
        verdict = Judge({"a": known}, Point(0.05)).judged(FileRecord("x", "ok", findings=(finding,))).verdict
        assert verdict.label == label
    verdict = Judge({"a": known}, Point(0.05)).judged(FileRecord("x", "ok", findings=(strange,))).verdict
    assert verdict.reason.startswith("a takes it for no photograph but a picture made by hand")
    hardly_ever = sum(known.calibrated.stranger(one) for one in known.calibrated.unlike)
    assert hardly_ever <= 0.01 * 400


def test_what_a_verdict_finds_of_generated_images_is_told():
    known = wide(CAMERAS, generated=np.linspace(300, 499, 200))
    judge = Judge({"a": known}, Point(0.05))
    limit = known.calibrated.verdict_threshold(0.05)
    assert judge.recall() == np.mean(np.linspace(300, 499, 200) > limit)
    assert judge.to_json()["recall"] == judge.recall()
    assert Judge({"a": basis()}, Point(0.05)).recall() is None
    halves = np.where(np.arange(200) % 2, 1.0, -9.0)  # every second one is unlike photographs, and never called generated
    strange = wide(CAMERAS, generated=np.linspace(300, 499, 200), unlike=np.zeros(400) - 5, generated_unlike=halves)
    assert Judge({"a": strange}, Point(0.05)).recall() == pytest.approx(judge.recall() / 2, abs=0.01)
    both = Judge({"a": known, "b": basis()}, Point(0.05))
    assert 0 < both.recall() < judge.recall()  # the limits hold for two
