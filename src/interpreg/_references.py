"""Modules whose attributes refer to networks that are no submodules of them, or are set once."""

from typing import Any, ClassVar, overload

from torch import nn

from interpreg import _checks


class Reference:
    """An attribute that is set once, in the constructor, and is no submodule: ``parameters()`` leaves it out."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Reference": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Any: ...
    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else instance.__dict__["_ref_" + self._name]

    def __set__(self, instance: object, value: Any) -> None:
        if "_ref_" + self._name in instance.__dict__:
            raise fixed(instance, self._name, value)
        instance.__dict__["_ref_" + self._name] = value


class Referring(nn.Module):
    """A module in which an assignment to a descriptor or a property calls its setter, even of a submodule."""

    set_once: ClassVar[frozenset[str]] = frozenset()
    """The attributes that cannot be assigned again after the constructor."""

    def __setattr__(self, name: str, value: Any) -> None:
        attribute = getattr(type(self), name, None)
        is_set = name in self.set_once and (name in self.__dict__ or name in self._modules)
        if is_set or (isinstance(attribute, property) and attribute.fset is None):
            raise fixed(self, name, value)
        if hasattr(type(attribute), "__set__"):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


def fixed(instance: object, name: str, value: object) -> AttributeError:
    """The error of an assignment that, after construction, would change only a part of the module."""
    return AttributeError(
        f"{name}: expected no assignment after {type(instance).__name__} was made, got {_checks.describe(value)}; "
        "make a new one with it"
    )
