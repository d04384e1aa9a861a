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
        return self if instance is None else instance.__dict__["_ref_" + self._name]

    def __set__(self, instance: object, value: Any) -> None:
        if "_ref_" + self._name in instance.__dict__:
            raise fixed(instance, self._name, value)
        instance.__dict__["_ref_" + self._name] = value

    def __delete__(self, instance: object) -> None:
        raise fixed(instance, self._name)


class Referring(nn.Module):
    """A module in which an assignment to a descriptor or a property calls its setter, even of a submodule."""

    set_once: ClassVar[frozenset[str]] = frozenset()
    """The attributes that cannot be assigned again after the constructor."""

    def __setattr__(self, name: str, value: Any) -> None:
        attribute = getattr(type(self), name, None)
        if self._is_set(name) or (isinstance(attribute, property) and attribute.fset is None):
            raise fixed(self, name, value)
        if hasattr(type(attribute), "__set__"):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if self._is_set(name):
            raise fixed(self, name)
        super().__delattr__(name)

    @override
    def add_module(self, name: str, module: nn.Module | None) -> None:
        """As of ``nn.Module``; ``AttributeError`` for an attribute that is set once or refers to a network."""
        if self._is_set(name) or hasattr(type(self), name):
            raise fixed(self, name, module)
        super().add_module(name, module)

    def _is_set(self, name: str) -> bool:
        return name in self.set_once and (name in self.__dict__ or name in self._modules)


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


def fixed(instance: object, name: str, *value: object) -> AttributeError:
    """The error of an assignment, or deletion, that, after construction, would change only a part of the module."""
    what = (
        f"assignment after {type(instance).__name__} was made, got {_checks.describe(value[0])}"
        if value
        else (f"deletion from {type(instance).__name__}")
    )
    return AttributeError(f"{name}: expected no {what}; make a new one {'with it' if value else 'without it'}")


def _fixed_module(name: str) -> AttributeError:
    return AttributeError(f"{name}: expected the parts to stay as the sum was made with; make a new sum")
