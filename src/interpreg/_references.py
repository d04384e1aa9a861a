"""Modules whose attributes refer to networks that are no submodules of them, or are set once."""

from collections.abc import Mapping
from typing import Any, ClassVar, overload

from torch import nn
from typing_extensions import override

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

    @override
    def add_module(self, name: str, module: nn.Module | None) -> None:
        """As of ``nn.Module``; ``AttributeError`` for an attribute that is set once or refers to a network."""
        if hasattr(type(self), name) or (
            name in self.set_once and (name in self.__dict__ or name in self._modules)
        ):
            raise fixed(self, name, module)
        super().add_module(name, module)


class FixedModules(nn.ModuleDict):
    """Named modules, none of which can be replaced, added or removed."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self._modules.update(modules)

    @override
    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Refused, as are the other ways to change it."""
        raise _fixed_module(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, nn.Module) or name in self.__dict__.get("_modules", ()):
            raise _fixed_module(name)
        super().__setattr__(name, value)

    @override
    def __delitem__(self, key: str) -> None:
        raise _fixed_module(key)

    def __delattr__(self, name: str) -> None:
        raise _fixed_module(name)

    @override
    def clear(self) -> None:
        raise _fixed_module(", ".join(self))


def fixed(instance: object, name: str, *value: object, instead: str = "") -> AttributeError:
    """The error of an assignment, or deletion, that, after construction, would change only a part of the module."""
    kind = type(instance).__name__
    if not value:
        return AttributeError(f"{name}: expected no deletion from {kind}; make a new one without it")
    return AttributeError(
        f"{name}: expected no assignment after {kind} was made, got {_checks.describe(value[0])}; "
        f"{instead}make a new one with it"
    )


def _fixed_module(name: str) -> AttributeError:
    return AttributeError(f"{name}: expected the parts to stay as the sum was made with; make a new sum")
