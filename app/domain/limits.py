"""The limits that a token was issued under: they can only take away, and only grow."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.catalogue import ActionPattern
from app.domain.conditions import Context
from app.domain.names import Vrn
from app.domain.policy import AttachedPolicy, PolicyDocument, evaluate


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What a token may at most be used for.

    `patterns` are the action patterns that were asked for: None where none had to be (the
    token is then as wide as its subject's policies), the empty tuple where it authorizes
    nothing. `inline` are inline policies; every one of them has to allow.
    """

    patterns: tuple[ActionPattern, ...] | None = None
    inline: tuple[PolicyDocument, ...] = ()

    def admit_action(self, action: str) -> bool:
        """Whether the action patterns cover the action."""
        return self.patterns is None or any(pattern.matches(action) for pattern in self.patterns)

    def admit_inline(self, account_id: str, action: str, resource: Vrn, context: Context) -> bool:
        """Whether every inline policy allows the action on the resource."""
        return all(
            evaluate(account_id, action, resource, context, (_as_policy(document),)).allowed
            for document in self.inline
        )

    def cover(self, account_id: str, action: str, resource: Vrn, context: Context) -> bool:
        """Whether the token may be used for this, as far as its own limits go."""
        return self.admit_action(action) and self.admit_inline(
            account_id, action, resource, context
        )

    def admit_pattern(self, pattern: ActionPattern) -> bool:
        """Whether narrowing to `pattern` stays inside the action patterns."""
        return self.patterns is None or any(own.covers(pattern) for own in self.patterns)

    def narrowed(
        self, patterns: tuple[ActionPattern, ...] | None, policy: PolicyDocument | None
    ) -> TokenLimits:
        """The limits after narrowing. The caller has seen to it that `patterns` are admitted."""
        return TokenLimits(
            self.patterns if patterns is None else patterns,
            self.inline if policy is None else (*self.inline, policy),
        )


NO_LIMITS = TokenLimits()


def _as_policy(document: PolicyDocument) -> AttachedPolicy:
    return AttachedPolicy("inline", "inline policy", 1, document)
