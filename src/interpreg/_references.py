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
        if instance is None:
            return self
        try:
            return instance.__dict__["_ref_" + self._name]
        except KeyError:  # nn.Module would hide an AttributeError behind its own
            raise ValueError(f"{self._name}: expected super().__init__ to be called before it is read") from None

    def __set__(self, instance: object, value: Any) -> None:
        if "_ref_" + self._name in instance.__dict__:
            raise fixed(instance, self._name, value)
        instance.__dict__["_ref_" + self._name] = value

    def __delete__(self, instance: object) -> None:
        raise fixed(instance, self._name)


class Configured:
    """A class of this package whose constructor's arguments are fixed afterwards; weights may be assigned.

    An assignment to any other attribute of the name of an argument, which nobody would check and parts of which might
    not take effect, is an error. Subclasses elsewhere name theirs in ``set_once``.
    """

    set_once: ClassVar[frozenset[str]] = frozenset()
    """The attributes that cannot be assigned again after the constructor."""
    handed_on: ClassVar[frozenset[str]] = frozenset()
    """The arguments that become no attributes, so that an assignment would change nothing."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        names = frozenset().union(cls.set_once, *(getattr(base, "set_once", ()) for base in cls.__bases__))
        constructor = cls.__dict__.get("__init__")
        if constructor is not None and cls.__module__.split(".")[0] == __package__:
            code = constructor.__code__
            names |= set(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
        cls.set_once = names

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.handed_on or (name in self.set_once and name in self.__dict__):
            raise fixed(self, name, value)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.set_once:
            raise fixed(self, name)
        super().__delattr__(name)


class Referring(Configured, nn.Module):
    """A module in which an assignment to a descriptor or a property calls its setter, even of a submodule."""

    def __setattr__(self, name: str, value: Any) -> None:
        attribute = getattr(type(self), name, None)
        is_module = name in self.set_once and name in self._modules
        if is_module or (isinstance(attribute, property) and attribute.fset is None):
            raise fixed(self, name, value)
        if hasattr(type(attribute), "__set__"):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


def fixed(instance: object, name: str, *value: object, instead: str = "") -> AttributeError:
    """The error of an assignment, or deletion, that, after construction, would change only a part of the module."""
    kind = type(instance).__name__
    if not value:
        return AttributeError(f"{name}: expected no deletion from {kind}; make a new one without it")
    return AttributeError(
        f"{name}: expected no assignment after {kind} was made, got {_checks.describe(value[0])}; "
        f"{instead}make a new one with it"
    )
