"""What a user can run into. Every message is one line and ends in what to do next."""


class LocalpersError(Exception):
    """A mistake or a state that the user can mend; `str(error)` is the line shown.

    Raise it with a message that says what is wrong and what to do next, and that holds no text
    of the user's documents.
    """

    exit_code = 1


class UnreadableFile(LocalpersError):
    """A file that should have been read and cannot be; `str(error)` is the reason in few words."""


class NotADocument(LocalpersError):
    """A file whose name fits a reader but whose content is not writing (a data `.json`, say)."""


class ProfileBusy(LocalpersError):
    """Another command is writing to this profile."""


class ProfileLocked(LocalpersError):
    """An encrypted profile that cannot be opened as it is, or without its secret."""


class WrongSecret(LocalpersError):
    """A passphrase, key file or keyring entry that does not open the profile."""


class DamagedFile(LocalpersError):
    """An encrypted file that is not what was written."""


class SourceMissing(LocalpersError):
    """A folder that was indexed is gone or suddenly empty; nothing was changed."""


class ModelNotFound(LocalpersError):
    """No installed base model has this name."""


class UnsupportedModel(LocalpersError):
    """A GGUF file that cannot be served or cannot be trained; the message says which and why."""


class WrongBase(LocalpersError):
    """An adapter meets a base model other than the one it was trained on."""


class TooLittleText(LocalpersError):
    """The profile holds too little writing to learn from."""


class OutOfMemory(LocalpersError):
    """The work does not fit the device; the message names the memory needed."""


class TrainingDiverged(LocalpersError):
    """The loss is no number any more."""


class ParityFailed(LocalpersError):
    """The converted model does not compute what the trained one does."""


class RunNotFound(LocalpersError):
    """No tuning run with this id is kept in the profile."""


class MissingExtra(LocalpersError):
    """A command needs an optional part of localpers that is not installed."""
