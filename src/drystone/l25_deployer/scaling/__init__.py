"""How many instances a group needs: pure rules, given what was measured."""
