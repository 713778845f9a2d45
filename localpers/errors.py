"""Errors shown to the user: one line that says what is wrong and what to do next."""


class LocalpersError(Exception):
    """An error that the user can fix; `str(error)` is the line shown.

    Messages never contain text of the user's documents.
    """

    exit_code = 1


class UnreadableFile(LocalpersError):
    """A file that cannot be read; `str(error)` is a short reason."""


class NotADocument(LocalpersError):
    """A file with a supported extension whose content is not text to read (a `.json` data file)."""


class ProfileBusy(LocalpersError):
    """Another command is writing to this profile."""


class ProfileLocked(LocalpersError):
    """An encrypted profile without its secret, or partly encrypted."""


class WrongSecret(LocalpersError):
    """A passphrase, key file or keyring entry that does not unlock the profile."""


class DamagedFile(LocalpersError):
    """An encrypted file that is damaged or was modified."""


class SourceMissing(LocalpersError):
    """An indexed folder is missing or suddenly empty; the index is unchanged."""


class ModelNotFound(LocalpersError):
    """No installed base model has this name."""


class UnsupportedModel(LocalpersError):
    """A GGUF file that cannot be served or trained."""


class WrongBase(LocalpersError):
    """An adapter was trained on another base model."""


class TooLittleText(LocalpersError):
    """The profile contains too little text to learn from."""


class OutOfMemory(LocalpersError):
    """The device has too little memory; the message states how much is needed."""


class TrainingDiverged(LocalpersError):
    """The loss became NaN."""


class ParityFailed(LocalpersError):
    """The output of the converted model differs from that of the trained model."""


class RunNotFound(LocalpersError):
    """The profile has no tuning run with this id."""


class MissingExtra(LocalpersError):
    """A command needs an optional extra that is not installed."""
