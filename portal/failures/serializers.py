"""How failures look in the API."""

from rest_framework import serializers

from portal.failures.models import Failure, Occurrence, State


class FailureSerializer(serializers.ModelSerializer[Failure]):
    """A group of occurrences with one cause. Figures cover everything ever reported."""

    kind_label = serializers.CharField(source="about.label", read_only=True)
    advice = serializers.CharField(source="about.advice", read_only=True)
    standing = serializers.ChoiceField(
        choices=[*State.values, "muted"],
        read_only=True,
        help_text="As people see it: a muted failure is muted, whatever state lies beneath.",
    )
    owner = serializers.CharField(
        source="owner.username", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = Failure
        fields = [
            "id",
            "kind",
            "kind_label",
            "title",
            "reason",
            "advice",
            "state",
            "standing",
            "muted_until",
            "owner",
            "occurrences",
            "people",
            "first_seen_at",
            "last_seen_at",
            "last_version",
            "resolved_at",
            "resolved_in_version",
            "regressed_at",
            "revision",
        ]
        read_only_fields = fields


class OccurrenceSerializer(serializers.ModelSerializer[Occurrence]):
    tags = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Occurrence
        fields = [
            "id",
            "happened_at",
            "reported_at",
            "person",
            "version",
            "tags",
            "url",
            "detail",
        ]
        read_only_fields = fields


class SelectionSerializer(serializers.Serializer[dict[str, str]]):
    """What the list can be asked for."""

    state = serializers.ChoiceField(
        choices=["open", "acknowledged", "muted", "resolved", "all"], default="all"
    )
    kind = serializers.CharField(required=False, max_length=64)
    version = serializers.CharField(
        required=False, max_length=64, help_text="Only failures seen in this version."
    )
    q = serializers.CharField(
        required=False, max_length=200, help_text="Words in title, reason or kind."
    )


class StepSerializer(serializers.Serializer[dict[str, int]]):
    """``revision`` as read before: the step is refused with 409 if somebody was faster."""

    revision = serializers.IntegerField(
        required=False, min_value=0, help_text="Leave it out to take the step in any case."
    )


class ResolveSerializer(StepSerializer):
    in_version = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=64,
        default="",
        help_text="Older versions may go on failing without opening it again.",
    )


class MuteSerializer(StepSerializer):
    until = serializers.DateTimeField(help_text="In the future, at most a year away.")
