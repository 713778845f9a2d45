"""What a user who names no command should do next."""

from __future__ import annotations


def next_step(profile_name: str) -> str:
    """One line, by what is indexed, installed and tuned; an encrypted profile is not opened."""
    from localpers.encryption.keys import Header
    from localpers.profile import Profile, profiles_folder
    from localpers.store import Store
    from localpers.weights.catalog import installed

    profile = Profile.locked(profile_name)
    if Header.load(profiles_folder() / profile_name) is None:
        if profile.database.is_file():
            with Store.open(profile) as store:
                documents = store.documents.totals().documents
        else:
            documents = 0
        if not documents:
            return "Nothing is indexed yet: run 'localpers ingest FOLDER' with a folder of notes."
        if profile.promoted() is None:
            ask = "Ask with 'localpers ask \"...\"', or run 'localpers tune' to learn your style."
        else:
            ask = "Ask your tuned model with 'localpers ask \"...\"'."
    else:
        ask = f"Profile {profile_name} is encrypted: ask with 'localpers ask \"...\"'."
    if all(model.embeds for model in installed()):
        return "No model is installed: run 'localpers models pull smollm2-135m-instruct'."
    return ask
