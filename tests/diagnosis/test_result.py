"""A diagnosis is a sequence of findings, and reads well."""

from interpreg.diagnosis import Diagnosis, Finding, TermGradients

FINDINGS = (
    Finding("dead_units", "warning", "codes: 1 of 4 do not vary", "make the code smaller"),
    Finding("optimizer_misses", "error", "optimizer: lacks 2", "add them"),
)


def test_is_a_sequence_that_is_true_where_something_is_wrong() -> None:
    diagnosis = Diagnosis(FINDINGS)
    assert diagnosis
    assert len(diagnosis) == 2
    assert (diagnosis[0], diagnosis[-1:]) == (FINDINGS[0], FINDINGS[1:])
    assert [finding.kind for finding in diagnosis] == list(diagnosis.kinds) == ["dead_units", "optimizer_misses"]
    assert not Diagnosis(())


def test_reads_well() -> None:
    terms = (
        TermGradients("reconstruction", 1.0, 0.25, 0.0375, 0.238, None),
        TermGradients("critic/real", 0.5, 0.00012, None, None, 12345.0),
    )
    assert (
        str(Diagnosis(FINDINGS, terms))
        == repr(Diagnosis(FINDINGS, terms))
        == (
            """2 found:

warning, dead_units
    codes: 1 of 4 do not vary
    -> make the code smaller

error, optimizer_misses
    optimizer: lacks 2
    -> add them

term            weight  value    gradient at encoder  decoder  critic
reconstruction  1       0.25     0.0375               0.238    -
critic/real     0.5     0.00012  -                    -        1.23e+04"""
        )
    )
    assert str(Diagnosis(())) == "nothing is wrong"
